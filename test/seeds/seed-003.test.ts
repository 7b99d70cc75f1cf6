import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import axios from "axios";
import { listening } from "../support/listening.ts";
import { hasCurl } from "../support/needed.ts";
import { forEachEngine } from "../support/program.ts";
import { Shell } from "./shell.ts";
import type { Printed } from "./shell.ts";

/** The examples of the seed, word for word but for host and port. */
const REGISTER = `curl -X POST "http://192.168.0.112:8001/api/v1/auth/register" \\
  -H "Content-Type: application/json" \\
  -d '{
    "username": "john",
    "password": "secure123",
    "email": "john@example.com"
  }'`;

const LOGIN_FORM = `curl -X POST "http://192.168.0.112:8001/api/v1/auth/login" \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "username=john&password=secure123"`;

const LOGIN_JSON = `curl -X POST "http://192.168.0.112:8001/api/v1/auth/login-json" \\
  -H "Content-Type: application/json" \\
  -d '{"username":"john","password":"secure123"}'`;

const CURRENT_USER = `TOKEN="your_token_here"
curl -X GET "http://192.168.0.112:8001/api/v1/users/me" \\
  -H "Authorization: Bearer $TOKEN"`;

const COMPLETE_FLOW = `# 1. Register a new user
curl -X POST "http://192.168.0.112:8001/api/v1/auth/register" \\
  -H "Content-Type: application/json" \\
  -d '{
    "username": "testuser",
    "password": "test123",
    "email": "test@example.com"
  }'

# 2. Login and capture token
TOKEN=$(curl -X POST "http://192.168.0.112:8001/api/v1/auth/login-json" \\
  -H "Content-Type: application/json" \\
  -d '{"username":"testuser","password":"test123"}' \\
  | grep -o '"access_token":"[^"]*' | cut -d'"' -f4)

echo "Token: $TOKEN"

# 3. Access protected endpoint
curl -X GET "http://192.168.0.112:8001/api/v1/users/me" \\
  -H "Authorization: Bearer $TOKEN"`;

const FRONT_END = "http://localhost:3000";

forEachEngine("seed 003", (start) => {
  const server = listening(start, {
    CORS_ORIGINS: '["http://localhost:3000","http://192.168.0.112:3000"]',
  });
  const here = (snippet: string) => snippet.replaceAll("http://192.168.0.112:8001", server().origin);
  const token = { access_token: expect.stringMatching(/^eyJ/), token_type: "bearer" };
  const account = (username: string, email: string) => ({
    id: expect.any(Number),
    username,
    email,
    is_active: true,
    is_superuser: false,
    created_at: expect.stringMatching(/Z$/),
  });

  describe.if(hasCurl())("testing with curl", () => {
    const one = async (shell: Shell, snippet: string): Promise<Printed> => {
      const [printed] = await shell.run(here(snippet));
      if (printed === undefined) throw new Error(`no answer to ${snippet}`);
      return printed;
    };

    test("each example by itself", async () => {
      using shell = new Shell();
      const john = account("john", "john@example.com");
      expect(await one(shell, REGISTER)).toEqual({ status: 200, body: john });
      expect(await one(shell, LOGIN_FORM)).toEqual({ status: 200, body: token });
      const login = await one(shell, LOGIN_JSON);
      expect(login).toEqual({ status: 200, body: token });
      const bearer = String(Reflect.get(Object(login.body), "access_token"));
      expect(await one(shell, CURRENT_USER.replace("your_token_here", bearer))).toEqual({
        status: 200,
        body: john,
      });
      expect((await one(shell, CURRENT_USER)).status).toBe(401);
    });

    test("the complete flow, pasted as a whole", async () => {
      using shell = new Shell();
      const [registered, me] = await shell.run(here(COMPLETE_FLOW));
      const user = account("testuser", "test@example.com");
      expect(registered).toEqual({ status: 200, body: user });
      expect(me).toEqual({ status: 200, body: user });
    });
  });

  describe("its React front end", () => {
    const stored = new Map<string, string>();
    const localStorage = {
      getItem: (name: string) => stored.get(name) ?? null,
      setItem: (name: string, value: string) => void stored.set(name, value),
      removeItem: (name: string) => void stored.delete(name),
    };
    const window = { location: { href: "/" } };
    beforeEach(() => {
      stored.clear();
      window.location.href = "/";
    });
    afterEach(() => stored.clear());

    /** The seed's axios code; a browser adds the origin by itself. */
    const frontEnd = () => {
      const api = axios.create({ baseURL: `${server().origin}/api/v1`, headers: { Origin: FRONT_END } });
      api.interceptors.request.use((config) => {
        const token = localStorage.getItem("token");
        if (token) {
          config.headers.Authorization = `Bearer ${token}`;
        }
        return config;
      });
      api.interceptors.response.use(
        (response) => response,
        (error) => {
          if (error.response?.status === 401) {
            localStorage.removeItem("token");
            window.location.href = "/login";
          }
          return Promise.reject(error);
        },
      );
      return {
        register: (username: string, password: string, email: string) =>
          api.post("/auth/register", { username, password, email }),
        login: (username: string, password: string) => api.post("/auth/login-json", { username, password }),
        getProfile: () => api.get("/users/me"),
      };
    };

    test("registers, logs in and reads the profile, and may read the answers", async () => {
      const { register, login, getProfile } = frontEnd();
      const registered = await register("react", "secure123", "react@example.com");
      expect(registered.data).toEqual(account("react", "react@example.com"));
      const { data, headers } = await login("react", "secure123");
      expect(headers["access-control-allow-origin"]).toBe(FRONT_END);
      expect(headers["access-control-allow-credentials"]).toBe("true");
      localStorage.setItem("token", data.access_token);
      expect((await getProfile()).data).toEqual(registered.data);
      expect(window.location.href).toBe("/");
    });

    test("is sent to the login when its token is no longer good", async () => {
      const { getProfile } = frontEnd();
      localStorage.setItem("token", "expired");
      const [outcome] = await Promise.allSettled([getProfile()]);
      expect(outcome.status).toBe("rejected");
      expect(window.location.href).toBe("/login");
      expect(localStorage.getItem("token")).toBeNull();
    });

    test("S20 its preflights are answered for its origins, and for no other", async () => {
      const preflight = (origin: string) =>
        fetch(`${server().origin}/api/v1/users/me`, {
          method: "OPTIONS",
          headers: {
            origin,
            "access-control-request-method": "GET",
            "access-control-request-headers": "authorization",
          },
        });
      for (const origin of [FRONT_END, "http://192.168.0.112:3000"]) {
        const { status, headers } = await preflight(origin);
        expect(status).toBe(204);
        expect(headers.get("access-control-allow-origin")).toBe(origin);
        expect(headers.get("access-control-allow-headers")).toBe("authorization");
      }
      const foreign = await preflight("http://localhost:3001");
      expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
    });
  });
});
