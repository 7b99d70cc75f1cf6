// What an import `with { type: "file" }` gives: the file's path, on disk or inside the binary.

declare module "swagger-ui-dist/*" {
  const path: string;
  export default path;
}

declare module "redoc/bundles/*" {
  const path: string;
  export default path;
}

declare module "*.css" {
  const path: string;
  export default path;
}

declare module "*.md" {
  const path: string;
  export default path;
}

declare module "*.svg" {
  const path: string;
  export default path;
}

declare module "*/start-redoc.js" {
  const path: string;
  export default path;
}

declare module "*/start-swagger.js" {
  const path: string;
  export default path;
}

declare module "*/page.js" {
  const path: string;
  export default path;
}
