import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { guides } from "../../src/surfaces/operations/guides/guides.ts";
import { shared } from "../support/program.ts";
import { FAINT_WORDS, Page, withChromium } from "./chromium.ts";

setDefaultTimeout(30_000);

const PHONE = { width: 360, height: 740 };

withChromium("the page at / in Chromium", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });
  let address = "";
  beforeAll(() => {
    const { url } = program().app.listen({ host: "127.0.0.1", port: 0 });
    address = `http://127.0.0.1:${url.port}`;
  });
  afterAll(() => program().app.stop(0));

  const open = async (
    look: "light" | "dark" = "light",
    size?: { width: number; height: number },
    at = address,
  ) => {
    const page = await Page.open(`${at}/`, look, size);
    await page.until("document.querySelector('#readiness').innerText === 'yes'");
    return Object.assign(page, { [Symbol.dispose]: () => page.close() });
  };
  const shown = (page: Page, step: string) => page.text(`form[data-step=${step}] code`);
  const answer = (page: Page, step: string) => page.text(`form[data-step=${step}] .answer`);
  const send = async (page: Page, step: string) => {
    await page.click(`form[data-step=${step}] button[type=submit]`);
    await page.until(`document.querySelector("form[data-step=${step}] .answer p") !== null`);
    await page.until(`document.querySelector("form[data-step=${step}] [aria-disabled=true]") === null`);
  };

  test("walks a first user from an account to a todo, asking nobody else", async () => {
    using page = await open();
    await page.fill("input[name=email]", "first.user@example.com");
    await send(page, "register");
    expect(await answer(page, "register")).toInclude('"email": "first.user@example.com"');
    await send(page, "login");
    expect(await answer(page, "login")).toInclude('"token_type": "bearer"');
    await page.fill("input[name=title]", `It's "done" & <b>dusted</b>`);
    await send(page, "todo");
    expect(JSON.parse((await answer(page, "todo")).replace("200 There is your todo.", ""))).toMatchObject({
      title: `It's "done" & <b>dusted</b>`,
    });
    expect(await page.text("#finish")).toStartWith("That is all of it");
    expect(page.requested.filter((url) => !url.startsWith(`${address}/`))).toEqual([]);
    expect(await page.complaints()).toEqual([]);
  });

  test("shows each request so that it works as copied", async () => {
    using page = await open();
    await send(page, "register");
    await send(page, "login");
    await page.fill("input[name=title]", "It's \\ $HOME `x`");

    const curl = await output(["bash", "-c", await shown(page, "todo")]);
    expect(JSON.parse(curl)).toMatchObject({ title: "It's \\ $HOME `x`" });

    await page.click("input[value=fetch]");
    const script = await output([process.execPath, "--eval", await shown(page, "todo")]);
    expect(script).toInclude("It's \\\\ $HOME `x`");

    await page.click("input[value=python]");
    expect(await shown(page, "todo")).toInclude(`json={"title":"It's \\\\ $HOME \`x\`"},`);
  });

  test("says what is wrong, and what to do", async () => {
    using page = await open();
    await send(page, "todo");
    expect(await answer(page, "todo")).toStartWith("401 This one needs a token: log in first.");
    await send(page, "login");
    expect(await answer(page, "login")).toStartWith("401 No account has this address and password");
    await page.fill("input[name=password]", "short");
    await send(page, "register");
    expect(await answer(page, "register")).toInclude("body.password");
    expect(await page.complaints()).toEqual([]);
  });

  test("shows what a proxy says in place of the server, and lets one try again", async () => {
    const words = "<h1>502 Bad Gateway</h1>";
    const proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) =>
        new URL(request.url).pathname.startsWith("/api/")
          ? new Response(words, { status: 502, headers: { "content-type": "text/html" } })
          : program().app.handle(request, "127.0.0.1"),
    });
    try {
      using page = await open("light", undefined, `http://127.0.0.1:${proxy.port}`);
      for (const step of ["register", "login", "todo"]) {
        await send(page, step);
        expect(await answer(page, step)).toStartWith("502 This is no answer of the server's");
        expect(await answer(page, step)).toInclude(words);
      }
      expect(await page.complaints()).toEqual([]);
    } finally {
      await proxy.stop(true);
    }
  });

  for (const look of ["light", "dark"] as const) {
    test(`fits a phone, can be read and has a name for each field in a ${look} look`, async () => {
      using page = await open(look, PHONE);
      await send(page, "register");
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBeTrue();
      expect(
        await page.evaluate(
          "[...document.querySelectorAll('input')].filter((e) => e.labels.length === 0).length",
        ),
      ).toBe(0);
      expect(await page.evaluate(FAINT_WORDS)).toEqual([]);
    });
  }

  test("every guide fits the narrowest phone, and scrolls down alone", async () => {
    using page = await open("light", { width: 320, height: 740 });
    const wide: string[] = [];
    for (const name of guides.keys()) {
      await page.go(`${address}/guides/${name}`);
      if ((await page.evaluate(SCROLLS_SIDEWAYS)) === true) wide.push(name);
    }
    expect(wide).toEqual([]);
  });

  test("can be walked with the keyboard alone", async () => {
    using page = await open();
    const seen = await page.tabThrough(20);
    for (const each of [
      "A Swagger UI",
      "INPUT curl",
      "INPUT email",
      "INPUT password",
      "BUTTON Send",
      "BUTTON Copy",
    ]) {
      expect(seen).toContain(each);
    }
  });
});

function output(command: readonly string[]): Promise<string> {
  return new Response(Bun.spawn([...command], { stderr: "ignore" }).stdout).text();
}

const SCROLLS_SIDEWAYS =
  "(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.documentElement)";
