/**
 * What S3 calls something that came in parts of one size: the MD5 of their MD5s, and how many there were; for what fits
 * into one part, its MD5. It tells accidents apart, not forgeries.
 */
export class PartsHash {
  readonly partBytes: number;
  readonly #ofParts = new Bun.CryptoHasher("md5");
  #part = new Bun.CryptoHasher("md5");
  #bytesOfPart = 0;
  #parts = 0;
  bytes = 0;

  constructor(partBytes: number) {
    this.partBytes = partBytes;
  }

  update(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.byteLength;) {
      const piece = chunk.subarray(from, from + this.partBytes - this.#bytesOfPart);
      this.#part.update(piece);
      this.#bytesOfPart += piece.byteLength;
      this.bytes += piece.byteLength;
      from += piece.byteLength;
      if (this.#bytesOfPart === this.partBytes) this.#endPart();
    }
  }

  /** Once nothing more comes; asked again it says the same. */
  etag(): string {
    if (this.#parts === 0) return this.#part.copy().digest("hex");
    const all = this.#ofParts.copy();
    if (this.#bytesOfPart > 0) all.update(this.#part.copy().digest());
    const count = this.#parts + (this.#bytesOfPart > 0 ? 1 : 0);
    return `${all.digest("hex")}-${count}`;
  }

  #endPart(): void {
    this.#ofParts.update(this.#part.digest());
    this.#part = new Bun.CryptoHasher("md5");
    this.#bytesOfPart = 0;
    this.#parts += 1;
  }
}
