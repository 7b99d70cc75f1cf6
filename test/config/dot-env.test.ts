import { describe, expect, test } from "bun:test";

import { parseDotEnv } from "../../src/config/dot-env.ts";

/** What python-dotenv 1.2 answers for the same text, but where a case says otherwise. */
interface Case {
  readonly about: string;
  readonly text: string;
  readonly values: Readonly<Record<string, string>>;
}

const ENVIRONMENT = { HOME: "/home/ada", A: "from the environment" };

function expectEach(cases: readonly Case[]): void {
  test.each(cases.map(({ about, ...rest }) => [about, rest] as const))("%s", (_about, { text, values }) => {
    expect(parseDotEnv(text, ENVIRONMENT)).toEqual({ values, mistakes: [] });
  });
}

describe("lines", () => {
  expectEach([
    { about: "an empty file", text: "", values: {} },
    { about: "blank lines and comments", text: "\n  \n# A=1\n  # B=2\nC=3", values: { C: "3" } },
    { about: "a byte order mark", text: "\uFEFFA=1\nB=2", values: { A: "1", B: "2" } },
    { about: "lines ended as on Windows", text: "A=1\r\nB='2'\r\n", values: { A: "1", B: "2" } },
    { about: "lines ended as on an old Mac", text: "A=1\rB=2", values: { A: "1", B: "2" } },
    { about: "spaces around everything", text: "  A\t=  b c \t\n", values: { A: "b c" } },
  ]);
});

describe("names", () => {
  expectEach([
    { about: "after export", text: "export A=1\nexport\tB=2", values: { A: "1", B: "2" } },
    { about: "that begin with export", text: "exportA=1", values: { EXPORTA: "1" } },
    { about: "in quotes", text: "'A'=1\n'b c' = 2", values: { A: "1", "B C": "2" } },
    {
      about: "in any case, as pydantic-settings has it",
      text: "port=1\nApp_Name=x",
      values: { PORT: "1", APP_NAME: "x" },
    },
    { about: "given twice", text: "A=1\nA=2\nb=3\nB=4", values: { A: "2", B: "4" } },
    { about: "without a value", text: "A\nexport B\nC # none\nD=\n", values: { A: "", B: "", C: "", D: "" } },
    {
      about: "that an object has by itself",
      text: "__proto__=1\nX=${toString}",
      values: { ["__PROTO__"]: "1", X: "" },
    },
  ]);
});

describe("values without quotes", () => {
  expectEach([
    { about: "hold a # that follows no space", text: "A=b#c\nB=#c", values: { A: "b#c", B: "#c" } },
    {
      about: "end before a # that follows a space",
      text: "A=b #c\nB=b\t# c # d",
      values: { A: "b", B: "b" },
    },
    // python-dotenv 1.2.2 still takes this comment for the value; its next version does not.
    { about: "are empty before a comment", text: "A= # c\nB=2", values: { A: "", B: "2" } },
    { about: "may hold quotes and =", text: 'A=it\'s "b"\nB=c=d==', values: { A: 'it\'s "b"', B: "c=d==" } },
    { about: "keep backslashes", text: "A=b\\nc\\\\d", values: { A: "b\\nc\\\\d" } },
    { about: "keep backquotes", text: "A=`b # c`", values: { A: "`b" } },
  ]);
});

describe("values in single quotes", () => {
  expectEach([
    { about: "keep # and spaces", text: "A=' b # c ' # d\nB=''", values: { A: " b # c ", B: "" } },
    {
      about: "know two escapes",
      text: "A='it\\'s'\nB='\\\\ \\n \\\"'",
      values: { A: "it's", B: '\\ \\n \\"' },
    },
    { about: "go over several lines", text: "A='b\r\n# c'\nD=1", values: { A: "b\n# c", D: "1" } },
    { about: "may end in a comment without a space", text: "A='b'#c", values: { A: "b" } },
  ]);
});

describe("values in double quotes", () => {
  expectEach([
    { about: "keep # and spaces", text: 'A=" b # c " # d\nB=""', values: { A: " b # c ", B: "" } },
    {
      about: "know the escapes of Python",
      text: String.raw`A="\\ \' \" \a \b \f \n \r \t \v"`,
      values: { A: "\\ ' \" \x07 \b \f \n \r \t \v" },
    },
    {
      about: "keep other backslashes",
      text: String.raw`A="\d \x41 \$"`,
      values: { A: String.raw`\d \x41 \$` },
    },
    {
      about: "go over several lines",
      text: 'A="-----BEGIN\nabc=\n-----END"\nB=1',
      values: { A: "-----BEGIN\nabc=\n-----END", B: "1" },
    },
  ]);
});

describe("${NAME}", () => {
  expectEach([
    { about: "is what the file set above", text: "A=b\nC=x${A}y", values: { A: "b", C: "xby" } },
    {
      about: "is expanded in either kind of quotes",
      text: "C='${HOME}'\nD=\"${HOME}\"",
      values: { C: "/home/ada", D: "/home/ada" },
    },
    {
      about: "is what the environment has until the file sets it",
      text: "B=${A}\nA=here\nC=${A}",
      values: { B: "from the environment", A: "here", C: "here" },
    },
    { about: "is told apart by case", text: "a=b\nC=${A}", values: { A: "b", C: "from the environment" } },
    { about: "is empty where nobody set it", text: "C=x${NOPE}y${}", values: { C: "xy" } },
    {
      about: "has a default",
      text: "C=${NOPE:-d e}\nD=${HOME:-d}\nE=${NOPE:-}",
      values: { C: "d e", D: "/home/ada", E: "" },
    },
    {
      about: "has no default where it is set to nothing",
      text: "B\nC=\nD=${B:-d}${C:-d}",
      values: { B: "", C: "", D: "" },
    },
    { about: "is the only form", text: "C=$HOME ${HOME-d} ${HOME", values: { C: "$HOME  ${HOME" } },
    { about: "is expanded once", text: "A='${'\nB=${A}HOME}", values: { A: "${", B: "${HOME}" } },
  ]);
});

describe("a line that cannot be read", () => {
  const cases = [
    { about: "no name", text: "=b", problem: "a name is missing: NAME=value" },
    { about: "two words", text: "A B=hidden", problem: "no = stands behind the first word: NAME=value" },
    {
      about: "an open quote",
      text: 'A="hidden',
      problem: 'the quote that opens the value of "A" is never closed: NAME="value"',
    },
    {
      about: "more behind a quote",
      text: "A='b'hidden",
      problem: 'more follows the closing quote of "A", in line 2: NAME="value", with \\" for a quote inside',
    },
  ];

  for (const { about, text, problem } of cases) {
    test(`${about} is told with its line, without its value, and hides no other`, () => {
      expect(parseDotEnv(`X=1\n${text}\nY=2\n`, {})).toEqual({
        values: { X: "1", Y: "2" },
        mistakes: [{ line: 2, problem }],
      });
    });
  }

  test("is told with the line it begins in", () => {
    const { values, mistakes } = parseDotEnv("\n\nA='b\nc' d\n=\nE=1", {});
    expect(values).toEqual({ E: "1" });
    expect(mistakes.map(({ line }) => line)).toEqual([3, 5]);
    expect(mistakes[0]?.problem).toContain("in line 4:");
  });
});
