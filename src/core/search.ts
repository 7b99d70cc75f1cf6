/** More words than a search is made of; each one costs a look at every text. */
export const SEARCH_MAX_WORDS = 8;

/**
 * A text as a search of todos sees it: without its case, on every engine alike. Capitals, because they depend on no letter
 * beside them: the Greek sigma has two small forms, and the sharp s finds its two capitals.
 */
export function searchKey(text: string): string {
  return text.normalize("NFC").toUpperCase();
}

/**
 * A name, or a part of one, as a search of users sees it: in small letters like the e-mail addresses beside it, however
 * its accents were typed, and with the sigma that ends a word like any other, since what is sought may end sooner.
 */
export function nameKey(name: string): string {
  return name.toLowerCase().normalize("NFC").replaceAll("ς", "σ");
}

/** The words that a text must hold, each somewhere, to be found. */
export function searchWords(query: string): readonly string[] {
  return searchKey(query)
    .split(/\s+/)
    .filter((word) => word !== "");
}
