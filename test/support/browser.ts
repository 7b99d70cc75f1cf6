import { afterAll } from "bun:test";
import { sayOnce } from "./needed.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The path of a browser to test with. Its absence fails the run in CI; elsewhere it is said, once. */
export function findBrowser(): string | null {
  const path = process.env["TEST_CHROMIUM"] ?? NAMES.map((name) => Bun.which(name)).find((it) => it !== null);
  if (path !== undefined && path !== null) return path;
  if (process.env["CI"] !== undefined) throw new Error("Chromium is missing, and its tests must run here");
  sayOnce("SKIPPED: all tests in a browser, since there is none. To run them: apt-get install chromium");
  return null;
}

/** A page of a site, open in the browser: what is evaluated runs there, under the browser's own rules. */
export class Page implements Disposable {
  readonly #view: Bun.WebView;

  private constructor(view: Bun.WebView) {
    this.#view = view;
  }

  static async open(browser: string, url: string): Promise<Page> {
    // As root, which is who runs a container's tests, Chromium has no sandbox to offer.
    const argv = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const view = new Bun.WebView({ backend: { type: "chrome", path: browser, argv } });
    await view.navigate(url);
    return new Page(view);
  }

  /** The value of an expression, once it is there. */
  evaluate(expression: string): Promise<unknown> {
    return this.#view.evaluate(expression);
  }

  /** What `fetch` makes of a request in the page: its status and JSON, or why the page may not know. */
  fetch(url: string, options: object = {}): Promise<unknown> {
    return this.evaluate(`
      fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(
        async (response) => ({ status: response.status, body: await response.json().catch(() => null) }),
        (error) => error.name,
      )`);
  }

  [Symbol.dispose](): void {
    this.#view.close();
  }
}

/** A site with one empty page, until the suite is over; answers its origin. */
export function emptySite(): string {
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () =>
      new Response("<!doctype html><title>A site</title>", { headers: { "content-type": "text/html" } }),
  });
  afterAll(() => site.stop(true));
  return `http://localhost:${site.port}`;
}

/** Declared once by a file whose tests opened pages. */
export function closeBrowserAfterwards(): void {
  afterAll(() => Bun.WebView.closeAll());
}
