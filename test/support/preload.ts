import { afterAll } from "bun:test";
import { removeSharedKeys } from "./keys.ts";

afterAll(removeSharedKeys);
