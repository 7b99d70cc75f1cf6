import { forEachEngine } from "../support/program.ts";
import type { Start } from "../support/program.ts";

const PATH = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");

/** No sandbox, since tests run as root in containers; and no way to any host but this one. All suites share one process. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/** Tells what a page was refused, and what went wrong in it. */
const WATCH = `
  window.complaints = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.complaints.push(event.violatedDirective + " " + event.blockedURI));
  window.addEventListener("error", (event) => window.complaints.push(event.message));
  window.addEventListener("unhandledrejection", (event) => window.complaints.push(String(event.reason)));
`;

export type Look = "light" | "dark";

/** Declares a suite that needs Chromium, on SQLite. Where there is none it says so; in CI that is a failure. */
export function withChromium(title: string, suite: (start: Start) => void): void {
  if (PATH === null && process.env.CI === "true") throw new Error("test/browser needs chromium: install it");
  if (PATH === null) {
    console.warn(`skipped: ${title} (there is no chromium here)`);
    return;
  }
  forEachEngine(title, (start, engine) => {
    if (engine === "sqlite") suite(start);
  });
}

/** One page in a fresh tab, and what it asked for, was refused, and ran into. */
export class Page {
  readonly #view: Bun.WebView;
  /** The addresses of all that the page asked for. */
  readonly requested: string[] = [];

  private constructor(view: Bun.WebView) {
    this.#view = view;
  }

  static async open(url: string, look: Look = "light", size = { width: 1280, height: 900 }): Promise<Page> {
    const view = new Bun.WebView({
      ...size,
      headless: true,
      backend: { type: "chrome", path: PATH ?? "", argv: FLAGS },
    });
    const page = new Page(view);
    view.addEventListener<{ request: { url: string } }>("Network.requestWillBeSent", ({ data }) => {
      page.requested.push(data.request.url);
    });
    await view.navigate("about:blank");
    await view.cdp("Network.enable");
    await view.cdp("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: look }],
    });
    await view.cdp("Page.addScriptToEvaluateOnNewDocument", { source: WATCH });
    await view.navigate(url);
    return page;
  }

  /** To another address, as a link leads there. */
  async go(url: string): Promise<void> {
    await this.#view.navigate(url);
  }

  evaluate(expression: string): Promise<unknown> {
    return this.#view.evaluate(expression);
  }

  /** What the browser refused the page, and the errors in it. */
  async complaints(): Promise<unknown> {
    return this.evaluate("window.complaints");
  }

  async click(selector: string): Promise<void> {
    await this.until(`document.querySelector(${JSON.stringify(selector)}) !== null`);
    await this.#view.scrollTo(selector, { block: "center" });
    await this.#view.click(selector);
  }

  async fill(selector: string, text: string): Promise<void> {
    await this.click(selector);
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).select()`);
    await this.#view.type(text);
  }

  /** Waits until the expression is true. */
  async until(expression: string, limitMs = 10_000): Promise<void> {
    const endsAtMs = performance.now() + limitMs;
    while ((await this.evaluate(`Boolean(${expression})`)) !== true) {
      if (performance.now() > endsAtMs) throw new Error(`the page never came to: ${expression}`);
      await Bun.sleep(50);
    }
  }

  async text(selector = "body"): Promise<string> {
    return String(await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`));
  }

  /** What has the focus after each press of Tab: its tag, and its value, name or text. */
  async tabThrough(presses: number): Promise<readonly unknown[]> {
    const seen: unknown[] = [];
    for (let press = 0; press < presses; press += 1) {
      await this.#view.press("Tab");
      seen.push(await this.evaluate(FOCUSED));
    }
    return seen;
  }

  screenshot(): Promise<Blob> {
    return this.#view.screenshot();
  }

  close(): void {
    this.#view.close();
  }
}

const FOCUSED = `(({ tagName, name, type, value, innerText }) =>
  tagName + " " + (type === "radio" ? value : name || innerText.split("\\n")[0].trim()))(document.activeElement)`;

/** Words whose contrast with their ground is under WCAG's 4.5 to 1. */
export const FAINT_WORDS = `(() => {
  const channels = (color) => color.match(/[0-9.]+/g).map(Number);
  const light = (color) => channels(color).slice(0, 3)
    .map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
  const groundOf = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    return channels(backgroundColor)[3] === 0 ? groundOf(element.parentElement) : backgroundColor;
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""))
    .filter((element) => element.checkVisibility())
    .filter((element) => {
      const [a, b] = [light(getComputedStyle(element).color), light(groundOf(element))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    })
    .map((element) => element.tagName + " " + element.innerText);
})()`;
