import { describe, expect, test } from "bun:test";
import * as oauth from "oauth4webapi";
import { ResourceOwnerPassword } from "simple-oauth2";
import type { AccessToken } from "simple-oauth2";
import { failureOf } from "../support/failure.ts";
import { listening } from "../support/listening.ts";
import { forEachEngine } from "../support/program.ts";
import { PASSWORD, signUpByName } from "../surfaces/api-v1/people.ts";

/** Clients as they come, told nothing but where the endpoints are. */
forEachEngine("OAuth2 clients", (start) => {
  const server = listening(start);
  const person = () => signUpByName(server().program);

  describe("oauth4webapi", () => {
    const issuer = (): oauth.AuthorizationServer => ({
      issuer: server().origin,
      token_endpoint: `${server().origin}/api/v1/auth/token`,
      revocation_endpoint: `${server().origin}/api/v1/auth/revoke`,
      userinfo_endpoint: `${server().origin}/api/v1/auth/me`,
    });
    const client: oauth.Client = { client_id: "front-end" };
    const plain = { [oauth.allowInsecureRequests]: true };

    for (const [name, authentication] of [
      ["as a public client", oauth.None()],
      ["with a secret in the body", oauth.ClientSecretPost("secret")],
      ["with a secret in the header", oauth.ClientSecretBasic("secret")],
    ] as const) {
      const grant = async (type: string, parameters: Record<string, string>) => {
        const response = await oauth.genericTokenEndpointRequest(
          issuer(),
          client,
          authentication,
          type,
          parameters,
          plain,
        );
        return oauth.processGenericTokenEndpointResponse(issuer(), client, response);
      };
      const refresh = async (refreshToken = "") => {
        const response = await oauth.refreshTokenGrantRequest(
          issuer(),
          client,
          authentication,
          refreshToken,
          plain,
        );
        return oauth.processRefreshTokenResponse(issuer(), client, response);
      };
      const revoke = async (token = "") =>
        oauth.processRevocationResponse(
          await oauth.revocationRequest(issuer(), client, authentication, token, plain),
        );
      const me = (token: string) =>
        oauth.protectedResourceRequest(
          token,
          "GET",
          new URL(`${server().origin}/api/v1/auth/me`),
          new Headers(),
          null,
          plain,
        );

      test(`gets tokens, uses them, refreshes and revokes ${name}`, async () => {
        const { username, email } = await person();
        const first = await grant("password", { username, password: PASSWORD, scope: "" });
        expect(first).toMatchObject({ token_type: "bearer", expires_in: 1_800 });
        expect(await (await me(first.access_token)).json()).toMatchObject({ username, email });

        const second = await refresh(first.refresh_token);
        expect(second.refresh_token).not.toBe(first.refresh_token);
        expect((await me(second.access_token)).status).toBe(200);

        await revoke(second.refresh_token);
        await revoke("nobody knows this one");
        expect(await failureOf(me(second.access_token))).toBeInstanceOf(oauth.WWWAuthenticateChallengeError);
        const refused = await failureOf(refresh(second.refresh_token));
        expect(refused).toBeInstanceOf(oauth.WWWAuthenticateChallengeError);
      });

      test(`learns what was wrong ${name}`, async () => {
        const unsupported = await failureOf(grant("client_credentials", {}));
        expect(unsupported).toBeInstanceOf(oauth.ResponseBodyError);
        expect(unsupported).toMatchObject({ error: "unsupported_grant_type", status: 400 });
        const incomplete = await failureOf(grant("password", { username: "john" }));
        expect(incomplete).toMatchObject({ error: "invalid_request", status: 422 });
        const wrong = await failureOf(grant("password", { username: "john", password: "wrong" }));
        expect(wrong).toMatchObject({ status: 401 });
      });
    }
  });

  describe("simple-oauth2", () => {
    for (const authorizationMethod of ["header", "body"] as const) {
      const client = () =>
        new ResourceOwnerPassword({
          client: { id: "front-end", secret: "secret" },
          auth: {
            tokenHost: server().origin,
            tokenPath: "/api/v1/auth/token",
            revokePath: "/api/v1/auth/revoke",
          },
          options: { authorizationMethod },
        });
      const statusOf = async ({ token }: AccessToken) => {
        const headers = { authorization: `${String(token["token_type"])} ${String(token["access_token"])}` };
        return (await fetch(`${server().origin}/api/v1/auth/me`, { headers })).status;
      };

      test(`gets tokens, refreshes and revokes with its credentials in the ${authorizationMethod}`, async () => {
        const { username } = await person();
        const first = await client().getToken({ username, password: PASSWORD });
        expect(first.expired()).toBe(false);
        expect(await statusOf(first)).toBe(200);
        const second = await first.refresh();
        expect(await statusOf(second)).toBe(200);
        await second.revokeAll();
        expect(await statusOf(second)).toBe(401);
        expect(await failureOf(second.refresh())).toMatchObject({
          output: { statusCode: 401 },
          data: { payload: { error: "invalid_grant" } },
        });
      });

      test(`learns that a password is wrong with its credentials in the ${authorizationMethod}`, async () => {
        const { username } = await person();
        expect(await failureOf(client().getToken({ username, password: "wrong" }))).toMatchObject({
          output: { statusCode: 401 },
          data: { payload: { error: "invalid_grant", error_description: "Incorrect username or password" } },
        });
      });
    }
  });
});
