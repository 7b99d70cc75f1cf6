import { describe, expect, test } from "bun:test";
import { closeBrowserAfterwards, emptySite, findBrowser, Page } from "../support/browser.ts";
import { listening } from "../support/listening.ts";
import { forEachEngine } from "../support/program.ts";
import { newEmail, PASSWORD } from "../surfaces/api-v1/people.ts";

const browser = findBrowser();

/** A browser takes its time to start. */
const SLOW_MS = 30_000;

/** Word for word but for the host, and for where it sends someone whose token is no longer good. */
const SEED_003 = `
const login = async (username, password) => {
  const response = await fetch('http://192.168.0.112:8001/api/v1/auth/login-json', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password })
  });
  
  const data = await response.json();
  
  // Store token in localStorage or state management
  localStorage.setItem('token', data.access_token);
  
  return data;
};

const register = async (username, password, email) => {
  const response = await fetch('http://192.168.0.112:8001/api/v1/auth/register', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password, email })
  });
  
  return response.json();
};

const getProfile = async () => {
  const token = localStorage.getItem('token');
  
  const response = await fetch('http://192.168.0.112:8001/api/v1/users/me', {
    headers: {
      'Authorization': \`Bearer \${token}\`
    }
  });
  
  if (response.status === 401) {
    // Token expired or invalid - redirect to login
    window.location.hash = '/login';
    return null;
  }
  
  return response.json();
};`;

if (browser !== null) {
  forEachEngine("a browser", (start) => {
    const frontEnd = emptySite();
    const elsewhere = emptySite();
    const server = listening(start, { CORS_ORIGINS: frontEnd });
    // By name, as a person types it: pages and API are then one site to the browser, though not one origin.
    const api = () => `http://localhost:${new URL(server().origin).port}/api/v1`;

    const post = (page: Page, path: string, body?: object) =>
      page.fetch(`${api()}${path}`, {
        method: "POST",
        credentials: "include",
        ...(body === undefined
          ? {}
          : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
      });
    const me = (page: Page, token: string) =>
      page.fetch(`${api()}/users/me`, { headers: { Authorization: `Bearer ${token}` } });
    const tokenOf = (answer: unknown) =>
      String(Reflect.get(Object(Reflect.get(Object(answer), "body")), "access_token"));
    const granted = { status: 200, body: { access_token: expect.any(String), token_type: "bearer" } };

    test(
      "logs in with a cookie from an allowed page, refreshes by it, and logs out",
      async () => {
        using page = await Page.open(browser, frontEnd);
        const login = { email: newEmail(), password: PASSWORD };
        expect(await post(page, "/users/register", login)).toMatchObject({ status: 200 });
        const first = await post(page, "/users/login", login);
        expect(first).toEqual(granted);
        // The page itself never gets to see the refresh token.
        expect(await page.evaluate("document.cookie")).toBe("");
        expect(await me(page, tokenOf(first))).toMatchObject({ status: 200, body: { email: login.email } });

        const refreshed = await post(page, "/users/refresh");
        expect(refreshed).toEqual(granted);
        using secondTab = await Page.open(browser, frontEnd);
        expect(await post(secondTab, "/users/refresh")).toEqual(granted);

        expect(await post(page, "/users/logout")).toMatchObject({ status: 200 });
        for (const tab of [page, secondTab]) {
          expect(await post(tab, "/users/refresh")).toEqual({
            status: 401,
            body: { detail: "Refresh token not found" },
          });
        }
        expect(await me(page, tokenOf(refreshed))).toMatchObject({ status: 401 });
      },
      SLOW_MS,
    );

    test(
      "runs seed 003's own fetch code",
      async () => {
        using page = await Page.open(browser, frontEnd);
        const email = newEmail();
        const profile = await page.evaluate(`(async () => {
        ${SEED_003.replaceAll("http://192.168.0.112:8001", api().replace("/api/v1", ""))}
        const registered = await register("browser", "secure123", "${email}");
        await login("browser", "secure123");
        const profile = await getProfile();
        localStorage.setItem("token", "expired");
        const refused = await getProfile();
        return { registered, profile, refused };
      })()`);
        const account = { id: expect.any(Number), username: "browser", email, is_superuser: false };
        expect(profile).toMatchObject({ registered: account, profile: account, refused: null });
      },
      SLOW_MS,
    );

    describe("S19 S20 a page that is not allowed", () => {
      test(
        "learns nothing, and changes nothing by the visitor's cookie",
        async () => {
          using page = await Page.open(browser, frontEnd);
          const login = { email: newEmail(), password: PASSWORD };
          await post(page, "/users/register", login);
          const token = tokenOf(await post(page, "/users/login", login));

          using other = await Page.open(browser, elsewhere);
          for (const path of ["/users/refresh", "/users/logout"]) {
            expect(await post(other, path)).toBe("TypeError");
            // Without asking whether it may: the request arrives, with the cookie, and is refused there.
            await other.fetch(`${api()}${path}`, { method: "POST", credentials: "include", mode: "no-cors" });
          }
          expect(await me(other, token)).toBe("TypeError");
          expect(await me(page, token)).toMatchObject({ status: 200 });
          expect(await post(page, "/users/refresh")).toEqual(granted);
        },
        SLOW_MS,
      );
    });
  });
  closeBrowserAfterwards();
}
