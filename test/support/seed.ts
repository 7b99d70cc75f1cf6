import fc from "fast-check";
import { sayOnce } from "./needed.ts";

/** Chance is different in each run, and the same again for whoever names its seed. */
const given = process.env["FAULTS_SEED"];
const seed = given === undefined || given === "" ? Math.floor(Math.random() * 2 ** 31) : Number(given);
if (!Number.isSafeInteger(seed)) throw new Error("FAULTS_SEED is no integer");

sayOnce(`Random inputs are those of FAULTS_SEED=${seed}`);

export { fc, seed };
