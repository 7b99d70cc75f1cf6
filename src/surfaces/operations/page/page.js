// Sends three requests to the server that this page came from, and shows each as a person would write it.

const start = Math.floor(Math.random() * 36 ** 4).toString(36);
const state = { token: null };

const steps = {
  register: {
    done: "There is your account.",
    request: () => ({
      path: "/api/v1/users/register",
      body: { email: value("email"), password: value("password") },
    }),
    explain: {
      400: "An account has this address already: log in, or take another address.",
      422: "Something in it breaks a rule: see errors.",
    },
  },
  login: {
    done: "You are logged in: the next request brings the token.",
    request: () => ({
      path: "/api/v1/users/login",
      body: { email: value("email"), password: value("password") },
    }),
    accept: ({ access_token: token }) => {
      state.token = token;
    },
    explain: { 401: "No account has this address and password: register first." },
  },
  todo: {
    done: "There is your todo.",
    request: () => ({ path: "/api/v1/todos", body: { title: value("title") }, needsToken: true }),
    accept: () => {
      document.getElementById("finish").hidden = false;
    },
    explain: { 401: "This one needs a token: log in first." },
  },
};

const explainAny = { 423: "Too many wrong passwords.", 429: "Too many requests at once: wait a minute." };

const writers = {
  curl({ path, body, needsToken }) {
    const header = needsToken ? ` \\\n  -H "Authorization: Bearer $TOKEN"` : "";
    const token = needsToken ? `TOKEN=${shell(shownToken())}\n` : "";
    return `${token}curl ${location.origin}${path}${header} \\\n  -H "Content-Type: application/json" \\\n  -d ${shell(JSON.stringify(body))}`;
  },
  fetch({ path, body, needsToken }) {
    const authorization = needsToken ? "    Authorization: `Bearer ${token}`,\n" : "";
    const token = needsToken ? `const token = ${JSON.stringify(shownToken())};\n` : "";
    return `${token}const response = await fetch(${JSON.stringify(location.origin + path)}, {
  method: "POST",
  headers: {
${authorization}    "Content-Type": "application/json",
  },
  body: JSON.stringify(${JSON.stringify(body)}),
});
console.log(response.status, await response.json());`;
  },
  python({ path, body, needsToken }) {
    const token = needsToken ? `token = ${JSON.stringify(shownToken())}\n` : "";
    const headers = needsToken ? `    headers={"Authorization": f"Bearer {token}"},\n` : "";
    return `import requests

${token}response = requests.post(
    ${JSON.stringify(location.origin + path)},
${headers}    json=${JSON.stringify(body)},
)
print(response.status_code, response.json())`;
  },
};

function value(name) {
  return document.querySelector(`input[name="${name}"]`).value;
}

function shownToken() {
  return state.token ?? "what step 2 answers";
}

/** In single quotes nothing means anything to a shell but a single quote. */
function shell(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function language() {
  return document.querySelector('input[name="language"]:checked').value;
}

function showRequests() {
  for (const form of document.querySelectorAll("form[data-step]")) {
    form.querySelector("code").textContent = writers[language()](steps[form.dataset.step].request());
  }
}

async function send(form) {
  const { request, accept, done, explain } = steps[form.dataset.step];
  const { path, body, needsToken } = request();
  const headers = { "Content-Type": "application/json" };
  if (needsToken && state.token !== null) headers.Authorization = `Bearer ${state.token}`;
  let response;
  let text;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    text = await response.text();
  } catch {
    return showAnswer(form, "bad", "The server could not be reached.", "");
  }
  const answer = parsed(text);
  if (answer === undefined) {
    const words = `${response.status} This is no answer of the server's: look at what stands before it.`;
    return showAnswer(form, "bad", words, text);
  }
  if (response.ok) accept?.(answer);
  const words = response.ok ? done : (explain[response.status] ?? explainAny[response.status] ?? "");
  const look = response.ok ? "good" : "bad";
  showAnswer(form, look, `${response.status} ${words}`.trim(), JSON.stringify(answer, null, 2));
}

/** Undefined where it is no JSON, as what a proxy says of its own is not. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function showAnswer(form, look, words, body) {
  const line = document.createElement("p");
  line.className = look;
  line.textContent = words;
  const shown = document.createElement("pre");
  shown.tabIndex = 0;
  shown.textContent = body;
  form.querySelector(".answer").replaceChildren(line, ...(body === "" ? [] : [shown]));
}

async function copy(form, button) {
  const code = form.querySelector("code");
  try {
    // Only there over HTTPS and on this machine itself.
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), 2_000);
}

async function showReadiness() {
  const link = document.getElementById("readiness");
  const response = await fetch("/health/readiness").catch(() => null);
  link.textContent = response?.ok ? "yes" : "no";
  link.className = response?.ok ? "good" : "bad";
}

for (const form of document.querySelectorAll("form[data-step]")) {
  form.append(document.getElementById("exchange").content.cloneNode(true));
  const [button, copyButton] = form.querySelectorAll("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      await send(form);
    } finally {
      button.setAttribute("aria-disabled", "false");
    }
    showRequests();
  });
  copyButton.addEventListener("click", () => copy(form, copyButton));
}

if (document.getElementById("steps") !== null) {
  document.querySelector('input[name="email"]').value = `ada.${start}@example.com`;
  document.addEventListener("input", showRequests);
  showRequests();
}
showReadiness();
