import { randomBytes } from "node:crypto";
import { BoundedQueue } from "./bounded-queue.ts";
import type { QueueLimits } from "./bounded-queue.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import { withoutMetadata } from "./image-metadata.ts";
import type { ImageFormat } from "./image-metadata.ts";
import { countScans } from "./jpeg-scans.ts";
import type { Log } from "./log.ts";

/** Where files are kept, under names that this program made. Each call may fail with `unavailable`. */
export interface FileStore {
  /** The whole file or none of it, even where the program dies meanwhile. */
  put(name: string, content: Uint8Array, type: string): Promise<void>;
  /** Null where there is none. */
  get(name: string): Promise<Blob | null>;
  /** Whether there is one or not. */
  delete(name: string): Promise<void>;
  /** All that is there, in portions of at most 1,000; also what others put there. Takes its time where it is a lot. */
  list(): AsyncIterable<readonly StoredFile[]>;
}

export interface StoredFile {
  /** What `delete` takes. */
  readonly name: string;
  /** What `put` was given: not `name` where the program died in it, and there is no such file. */
  readonly putAs: string;
  readonly storedAtMs: number;
}

const MAX_SIDE_PIXELS = 512;

/** Looked at in the header, before any memory is taken; more than any telephone's camera makes. */
const MAX_PIXELS = 50_000_000;

/** As long as a JPEG can be. A PNG can be one pixel wide and millions high, and takes seconds to be made smaller. */
const MAX_UPLOADED_SIDE_PIXELS = 65_535;

/** Ten is what encoders make of a progressive JPEG; a decoder goes over all pixels for each. */
const MAX_SCANS = 100;

/** A picture of so many pixels takes 280 MB to decode and up to a second: one at a time, and few in line. */
const DECODING: QueueLimits = { concurrency: 1, maxQueued: 16 };

const EXTENSION: Readonly<Record<ImageFormat, string>> = { jpeg: "jpg", png: "png", webp: "webp" };
const TYPE_OF_EXTENSION = new Map(
  Object.entries(EXTENSION).map(([format, extension]) => [extension, `image/${format}`]),
);
const FILE_NAME = /^[0-9a-f]{32}\.([a-z]{3,4})$/;

/** Pictures of accounts: made anew from what was uploaded, and kept under random names. */
export class Avatars {
  readonly #files: FileStore;
  readonly #log: Log;
  readonly #decoding: BoundedQueue;

  constructor(parts: { files: FileStore; clock: Clock; log: Log }) {
    this.#files = parts.files;
    this.#log = parts.log;
    this.#decoding = new BoundedQueue(DECODING, parts.clock);
  }

  /**
   * Stores an upload and hands its file name to `use`; where that fails, no file stays, unless it is not known whether
   * what names it was kept: `OrphanedAvatars` finds what nobody names. Without an upload there is no name.
   * Fails with `malformed` for anything but a JPEG, PNG or WebP, and with `overloaded`.
   */
  async keep<T>(upload: Uint8Array | null, use: (file: string | undefined) => Promise<T>): Promise<T> {
    if (upload === null) return use(undefined);
    const { format, content } = await this.#decoding.run(() => madeAnew(upload));
    const file = `${randomBytes(16).toString("hex")}.${EXTENSION[format]}`;
    await this.#files.put(file, content, `image/${format}`);
    try {
      return await use(file);
    } catch (error) {
      if (!Fault.is(error, "unavailable")) await this.discard(file);
      throw error;
    }
  }

  /** Fails with `not_found`. */
  async read(file: string): Promise<{ content: Blob; type: string }> {
    const type = typeOf(file);
    const content = type === null ? null : await this.#files.get(file);
    if (type === null || content === null) throw Fault.of({ kind: "not_found", noun: "file" });
    return { content, type };
  }

  /**
   * A file that nobody refers to any more; answers whether it is gone. That it cannot be deleted now is no reason to
   * fail what was done: `OrphanedAvatars` finds it later.
   */
  async discard(file: string | null): Promise<boolean> {
    if (file === null) return false;
    try {
      await this.#files.delete(file);
      return true;
    } catch (error) {
      this.#log.error("avatar.not_deleted", { file }, error);
      return false;
    }
  }
}

/** Whether this program would have made such a name: others may keep files of theirs in the same place. */
export function isAvatarName(file: string): boolean {
  return typeOf(file) !== null;
}

/** Null for a name that this program would not have made: none such ever reaches the store. */
function typeOf(file: string): string | null {
  return TYPE_OF_EXTENSION.get(FILE_NAME.exec(file)?.[1] ?? "") ?? null;
}

/**
 * What is stored has gone through pixels: whatever else the upload held, behind the image, in its metadata or in
 * ways to read it as another kind of file, stays behind. Bun decodes on its thread pool.
 */
async function madeAnew(upload: Uint8Array): Promise<{ format: ImageFormat; content: Uint8Array }> {
  try {
    const { format, width, height } = await new Bun.Image(upload, { maxPixels: MAX_PIXELS }).metadata();
    if (format !== "jpeg" && format !== "png" && format !== "webp") throw notAnImage();
    if (Math.max(width, height) > MAX_UPLOADED_SIDE_PIXELS) {
      throw refused(`A side of the avatar is longer than ${MAX_UPLOADED_SIDE_PIXELS} pixels`);
    }
    if (format === "jpeg" && countScans(upload) > MAX_SCANS) {
      throw refused(`The avatar is a JPEG of more than ${MAX_SCANS} scans`);
    }
    const encoded = await new Bun.Image(upload, { maxPixels: MAX_PIXELS })
      .resize(MAX_SIDE_PIXELS, MAX_SIDE_PIXELS, { fit: "inside", withoutEnlargement: true })
      .bytes();
    return { format, content: withoutMetadata(format, encoded) };
  } catch (error) {
    throw isRefusal(error) ? notAnImage(error) : error;
  }
}

const REFUSALS = new Set<unknown>([
  "ERR_IMAGE_FORMAT_UNSUPPORTED",
  "ERR_IMAGE_TOO_MANY_PIXELS",
  "ERR_IMAGE_DECODE_FAILED",
  "ERR_IMAGE_UNKNOWN_FORMAT",
]);

function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && REFUSALS.has(error.code);
}

function notAnImage(cause?: unknown): Fault {
  const megapixels = MAX_PIXELS / 1_000_000;
  return refused(`The avatar is not a JPEG, PNG or WebP image of at most ${megapixels} megapixels`, cause);
}

function refused(reason: string, cause?: unknown): Fault {
  return Fault.of({ kind: "malformed", reason }, cause);
}
