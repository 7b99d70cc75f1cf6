import { afterAll } from "bun:test";
import { removeSharedKeys } from "./keys.ts";
import { removeSharedUploads } from "./uploads.ts";

afterAll(removeSharedKeys);
afterAll(removeSharedUploads);
