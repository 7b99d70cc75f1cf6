// What an import `with { type: "text" }` gives: the content of the file.

declare module "*/sqlite-disk-thread.js" {
  const source: string;
  export default source;
}
