/** The system's own word for what went wrong, such as ENOENT; null for what is not the system's. */
export function systemCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}
