const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

const typography = (code) => ({
  fontFamily: SANS,
  fontSize: "15px",
  headings: { fontFamily: SANS },
  code: { fontFamily: MONO, fontSize: "13px", ...code },
});

const light = {
  colors: { primary: { main: "#1f6f5c" } },
  typography: typography({ color: "#9a3412", backgroundColor: "#f4f4f2" }),
  sidebar: { backgroundColor: "#fafaf8", textColor: "#2b2f2d" },
  rightPanel: { backgroundColor: "#20262a" },
};

const dark = {
  colors: {
    primary: { main: "#6cc7ae" },
    text: { primary: "#dfe4e1", secondary: "#a3aca7" },
    border: { dark: "#3a4240", light: "#2d3432" },
    gray: { 50: "#1d2220", 100: "#262c2a" },
    success: { main: "#7fcf8e" },
    warning: { main: "#e5b567" },
    error: { main: "#f28b82" },
    responses: {
      success: { color: "#7fcf8e", backgroundColor: "rgba(127, 207, 142, 0.1)" },
      error: { color: "#f28b82", backgroundColor: "rgba(242, 139, 130, 0.1)" },
      redirect: { color: "#e5b567", backgroundColor: "rgba(229, 181, 103, 0.1)" },
      info: { color: "#87ceeb", backgroundColor: "rgba(135, 206, 235, 0.1)" },
    },
  },
  schema: {
    linesColor: "#4a5451",
    typeNameColor: "#a3aca7",
    typeTitleColor: "#dfe4e1",
    nestedBackground: "#1d2220",
  },
  typography: {
    ...typography({ color: "#f0b48a", backgroundColor: "#262c2a" }),
    links: { color: "#6cc7ae", visited: "#6cc7ae", hover: "#9fdecb" },
  },
  sidebar: { backgroundColor: "#191d1c", textColor: "#dfe4e1", activeTextColor: "#6cc7ae" },
  rightPanel: { backgroundColor: "#111413", textColor: "#f2f5f3" },
  codeBlock: { backgroundColor: "#0b0d0c" },
};

const scheme = matchMedia("(prefers-color-scheme: dark)");

function show() {
  document.documentElement.dataset.look = scheme.matches ? "dark" : "light";
  const theme = scheme.matches ? dark : light;
  Redoc.init(
    "/openapi.json",
    { theme, hideDownloadButton: false, expandResponses: "200,201" },
    document.getElementById("docs"),
  );
}

scheme.addEventListener("change", show);
show();
