import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { newEmail, PASSWORD, signUp } from "../surfaces/api-v1/people.ts";
import { shared } from "../support/program.ts";
import { FAINT_WORDS, Page, withChromium } from "./chromium.ts";

setDefaultTimeout(30_000);

const LOOKS = [
  { look: "light", isDark: false },
  { look: "dark", isDark: true },
] as const;

withChromium("the documentation in Chromium", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });
  let address = "";
  beforeAll(() => {
    const { url } = program().app.listen({ host: "127.0.0.1", port: 0 });
    address = `http://127.0.0.1:${url.port}`;
  });
  afterAll(() => program().app.stop(0));

  const open = async (path: string, look: "light" | "dark" = "light") => {
    const page = await Page.open(address + path, look);
    return Object.assign(page, { [Symbol.dispose]: () => page.close() });
  };
  const foreign = (page: Page) =>
    page.requested.filter(
      (url) => !url.startsWith(`${address}/`) && !url.startsWith("data:") && !url.startsWith("blob:"),
    );

  const tryOwnAccount = async (page: Page, email: string) => {
    const operation = "#operations-api-v1_users-apiV1ReadOwnAccount";
    await page.click(`${operation} .opblock-summary-control`);
    await page.click(`${operation} .btn.execute`);
    await page.until("document.querySelector('.live-responses-table tbody .response-col_status') !== null");
    expect(await page.text(".live-responses-table tbody .response-col_status")).toStartWith("200");
    expect(await page.text(".live-responses-table tbody .response-col_description")).toInclude(email);
  };

  for (const { look, isDark } of LOOKS) {
    test(`Swagger UI shows every route in a ${look} look, asking nobody else and for nothing it may not have`, async () => {
      using page = await open("/docs", look);
      await page.until("document.querySelectorAll('.opblock').length > 10");
      const count = program().app.surfaces.flatMap(({ routes }) => routes).length;
      expect(await page.evaluate("document.querySelectorAll('.opblock').length")).toBe(count);
      expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toStartWith(look);
      expect(foreign(page)).toEqual([]);
      expect(await page.complaints()).toEqual([]);
    });

    test(`ReDoc shows every route in a ${look} look, asking nobody else and for nothing it may not have`, async () => {
      using page = await open("/redoc", look);
      await page.until("document.querySelector('h1') !== null");
      const text = await page.text();
      for (const { docs } of program().app.surfaces.flatMap(({ routes }) => routes)) {
        expect(text).toInclude(docs.summary);
      }
      expect(await page.evaluate(BRIGHTNESS)).toBe(isDark ? "light on dark" : "dark on light");
      expect(foreign(page)).toEqual([]);
      expect(await page.complaints()).toEqual([]);
    });
  }

  for (const { look } of LOOKS) {
    test(`ReDoc shows patterns that can be read in a ${look} look`, async () => {
      using page = await open("/redoc", look);
      await page.until(`document.body.innerText.includes(${JSON.stringify(PATTERN)})`);
      expect(await page.evaluate(FAINT_WORDS)).not.toContain(`SPAN ${PATTERN}`);
    });
  }

  test("ReDoc finds a route by its words", async () => {
    using page = await open("/redoc");
    await page.fill("input[type=text]", "logout");
    await page.until(`document.querySelector('[data-role="search:results"]')?.innerText.includes("session")`);
    expect(await page.complaints()).toEqual([]);
  });

  test("Authorize with a token, then Try it out on a protected route", async () => {
    const { token, email } = await signUp(program());
    using page = await open("/docs");
    await page.click(".btn.authorize");
    await page.fill("#auth-bearer-value", token);
    await page.click(".auth-container .btn.authorize");
    await page.click(".btn-done");
    await tryOwnAccount(page, email);
    expect(await page.complaints()).toEqual([]);
  });

  test("Authorize by name and password, then Try it out on a protected route", async () => {
    const { email } = await signUp(program());
    using page = await open("/docs");
    await page.click(".btn.authorize");
    await page.fill("#oauth_username", email);
    await page.fill("#oauth_password", PASSWORD);
    await page.click(".auth-container:has(#oauth_username) .btn.authorize");
    await page.until("document.querySelector('.modal-ux').innerText.includes('Authorized')");
    await page.click(".btn-done");
    await tryOwnAccount(page, email);
    expect(await page.complaints()).toEqual([]);
  });

  test("the first example registers an account as it stands", async () => {
    using page = await open("/docs");
    const operation = "#operations-api-v1_users-apiV1RegisterUser";
    await page.click(`${operation} .opblock-summary-control`);
    await page.until(`document.querySelector("${operation} textarea") !== null`);
    expect(
      JSON.parse(String(await page.evaluate(`document.querySelector("${operation} textarea").value`))),
    ).toEqual({
      email: "user@example.com",
      password: PASSWORD,
    });
    await page.fill(`${operation} textarea`, JSON.stringify({ email: newEmail(), password: PASSWORD }));
    await page.click(`${operation} .btn.execute`);
    await page.until("document.querySelector('.live-responses-table tbody .response-col_status') !== null");
    expect(await page.text(".live-responses-table tbody .response-col_status")).toStartWith("200");
  });
});

/** Of the header that every answer has. */
const PATTERN = "^[A-Za-z0-9._-]{1,128}$";

/** What the words of a page look like on its ground. */
const BRIGHTNESS = `(() => {
  const brightness = (color) => color.match(/[0-9.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  const words = brightness(getComputedStyle(document.querySelector("h1")).color);
  const ground = brightness(getComputedStyle(document.documentElement).backgroundColor);
  return words > ground ? "light on dark" : "dark on light";
})()`;
