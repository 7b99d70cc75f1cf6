import { afterAll } from "bun:test";
import { sayOnce } from "./needed.ts";
import { scratchFolder } from "./process.ts";

/** A file system of the suite's own that is full soon; null where this process may not mount one. */
export async function mountSmallDisk(
  size: string,
  subject: string,
  access: "rw" | "ro" = "rw",
): Promise<string | null> {
  let unmount = async () => {};
  // Asked for before the folder is, and so done before that is removed.
  afterAll(() => unmount());
  const folder = scratchFolder();
  const options = `size=${size},mode=700,${access}`;
  const mount = Bun.spawn(["mount", "-t", "tmpfs", "-o", options, "latchkey-test", folder], {
    stdout: "ignore",
    stderr: "ignore",
  });
  if ((await mount.exited) === 0) {
    unmount = async () => void (await Bun.spawn(["umount", "--lazy", folder]).exited);
    return folder;
  }
  const line = `SKIPPED: ${subject}, since mounting a small one needs root`;
  if (process.env["CI"] !== undefined) throw new Error(line);
  sayOnce(line);
  return null;
}
