// The page on which an operator gives an access token to this browser. Plain HTML and one script, allowed by its hash; it asks
// nothing of any other host and keeps the token nowhere.
import { createHash } from 'node:crypto';

const SCRIPT = `
const form = document.forms[0];
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const told = document.querySelector('output');
  const headers = { Authorization: 'Bearer ' + form.token.value.trim() };
  try {
    const answer = await fetch('/codec/sign-in', { method: 'POST', headers });
    if (answer.ok) form.reset();
    told.value = answer.ok ? 'Signed in. This page may be closed.' : (await answer.json()).detail;
  } catch {
    told.value = 'Reelkit does not answer.';
  }
});
`;

export const SIGN_IN_POLICY = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export const SIGN_IN_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reelkit: sign in</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
input, button { font: inherit; padding: .4rem .6rem; box-sizing: border-box } input { width: 100%; margin: .3rem 0 .8rem }
output { display: block; margin-top: 1rem }
</style></head><body>
<h1>Sign in for Temporal's Web UI</h1>
<p>Temporal's Web UI then shows what Reelkit keeps there in readable form, in this browser, for as long as the token is valid.
In the Web UI, switch on the codec server's option to include credentials.</p>
<form><label>Access token, as <code>reelkit token</code> prints it
<input name="token" type="password" autocomplete="off" required maxlength="3800"></label><button>Sign in</button></form>
<output></output><script>${SCRIPT}</script></body></html>`;
