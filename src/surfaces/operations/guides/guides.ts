// Each import carries its file into the compiled binary, so that the guides need no other host.
import addingAResource from "../../../../docs/adding-a-resource.md" with { type: "file" };
import authentication from "../../../../docs/authentication.md" with { type: "file" };
import backup from "../../../../docs/backup.md" with { type: "file" };
import comingFrom from "../../../../docs/coming-from/README.md" with { type: "file" };
import cookieSessions from "../../../../docs/coming-from/000-cookie-sessions.md" with { type: "file" };
import usersAndAdmins from "../../../../docs/coming-from/001-users-and-admins.md" with { type: "file" };
import rotatingTokens from "../../../../docs/coming-from/002-rotating-tokens.md" with { type: "file" };
import oauth2Login from "../../../../docs/coming-from/003-oauth2-login.md" with { type: "file" };
import rs256Todos from "../../../../docs/coming-from/004-rs256-todos.md" with { type: "file" };
import configuration from "../../../../docs/configuration.md" with { type: "file" };
import deploying from "../../../../docs/deploying.md" with { type: "file" };
import metrics from "../../../../docs/metrics.md" with { type: "file" };
import movingIn from "../../../../docs/moving-in.md" with { type: "file" };
import operating from "../../../../docs/operating.md" with { type: "file" };
import performance from "../../../../docs/performance.md" with { type: "file" };
import quickStart from "../../../../docs/quick-start.md" with { type: "file" };
import scaling from "../../../../docs/scaling.md" with { type: "file" };
import tracing from "../../../../docs/tracing.md" with { type: "file" };
import troubleshooting from "../../../../docs/troubleshooting.md" with { type: "file" };
import upgrading from "../../../../docs/upgrading.md" with { type: "file" };
import { StaticFile } from "../../../http/static-file.ts";
import { flow } from "./flow.ts";
import template from "./guide.html" with { type: "file" };

/** By their names in the address: the path below `docs/`, with a dash for each slash. */
const sources: Readonly<Record<string, string>> = {
  "adding-a-resource": addingAResource,
  authentication,
  backup,
  "coming-from": comingFrom,
  "coming-from-000-cookie-sessions": cookieSessions,
  "coming-from-001-users-and-admins": usersAndAdmins,
  "coming-from-002-rotating-tokens": rotatingTokens,
  "coming-from-003-oauth2-login": oauth2Login,
  "coming-from-004-rs256-todos": rs256Todos,
  configuration,
  deploying,
  metrics,
  "moving-in": movingIn,
  operating,
  performance,
  "quick-start": quickStart,
  scaling,
  tracing,
  troubleshooting,
  upgrading,
};

export const guides: ReadonlyMap<string, StaticFile> = new Map(
  Object.entries(sources).map(([name, source]) => [
    name,
    new StaticFile(() => asPage(name, source), "text/html; charset=utf-8"),
  ]),
);

async function asPage(name: string, source: string): Promise<string> {
  const [markdown, page] = await Promise.all([Bun.file(source).text(), Bun.file(String(template)).text()]);
  const title = /^# (.+)$/m.exec(markdown)?.[1] ?? name;
  const folder = name.startsWith("coming-from") ? "coming-from/" : "";
  const words = Bun.markdown
    .html(markdown, { headings: { ids: true } })
    .replaceAll(/<a href="([^"]*)">(.*?)<\/a>/gs, (link, target: string, text: string) =>
      linked(target, folder, text, link),
    )
    .replaceAll(/<pre><code class="language-mermaid">(.*?)<\/code><\/pre>/gs, (_, source: string) =>
      flow(source),
    )
    // Wide ones are scrolled by themselves, by keyboard too.
    .replaceAll("<pre>", '<pre tabindex="0">')
    .replaceAll("<table>", '<div class="wide" tabindex="0"><table>')
    .replaceAll("</table>", "</table></div>");
  return page.replace("{{title}}", () => Bun.escapeHTML(title)).replace("{{guide}}", () => words);
}

/** A link to another guide leads there; what only a checkout has keeps its words. */
function linked(target: string, folder: string, text: string, link: string): string {
  if (/^(https?:|#)/.test(target)) return link;
  const { pathname, hash } = new URL(target, `http://localhost/docs/${folder}`);
  const name = pathname
    .replace(/^\/docs\//, "")
    .replace(/(\/README)?\.md$/, "")
    .replaceAll("/", "-");
  return Object.hasOwn(sources, name) ? `<a href="/guides/${name}${hash}">${text}</a>` : text;
}
