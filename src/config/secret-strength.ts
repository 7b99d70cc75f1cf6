export const SECRET_KEY_MIN_BYTES = 32;

/** Published as an example where it looks like a real key. */
const PUBLISHED_KEYS = new Set(["5xqjyzx9cg4ytt1rmknb8skhmq45bn_bgfbtpypo14q"]);

/** A key made of nothing but these words, whatever stands between them, was copied from an example. */
const EXAMPLE_WORDS = new Set(
  (
    "secret secretkey secrets supersecret supersecretkey mysecret mysecretkey yoursecret yoursecretkey " +
    "topsecret verysecret jwtsecret jwtsecretkey changeme changethis changeit replaceme replacethis " +
    "change replace insecure example sample default placeholder password passphrase"
  ).split(" "),
);
const FILLER_WORDS = new Set(
  (
    "a an and app application as at be by bytes characters chars dev development django do environment for " +
    "fastapi flask generate generated here hs in is it jwt key keys latchkey least long me min minimum must my " +
    "not of on one openssl or please prod production project random really secure signing some something " +
    "string strong super test that the this to token tokens top use value very with you your"
  ).split(" "),
);

const DISTINCT_CHARACTERS_MIN = 8;

/** Why a key must not sign anything that matters; null where nothing speaks against it. */
export function secretKeyWeakness(key: string): string | null {
  if (isKnownExample(key)) return "is an example that everybody knows";
  if (Buffer.byteLength(key) < SECRET_KEY_MIN_BYTES) return "is too short";
  if (new Set(key).size < DISTINCT_CHARACTERS_MIN) return "repeats too few characters";
  return null;
}

function isKnownExample(key: string): boolean {
  const lower = key.toLowerCase();
  if (PUBLISHED_KEYS.has(lower)) return true;
  const words = lower.split(/[^a-z]+/).filter((word) => word !== "");
  return (
    words.some((word) => EXAMPLE_WORDS.has(word)) &&
    words.every((word) => EXAMPLE_WORDS.has(word) || FILLER_WORDS.has(word) || /^(.)\1*$/.test(word))
  );
}
