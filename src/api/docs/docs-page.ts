// The API as one page to read: plain HTML from the OpenAPI document. No script, no font, no other host: it works offline.
import { ERROR_CODES } from '../errors.ts';
import type { Json, OpenApiDocument, Operation } from './openapi.ts';

export function renderDocs(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  const sections = document.tags.map((tag) => ({
    ...tag,
    operations: operations.filter(({ operation }) => operation.tags.includes(tag.name)),
  }));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.info.title)} API</title><style>${STYLE}</style></head><body>
<nav><strong>${escapeHtml(document.info.title)} API</strong><span class="version">${escapeHtml(document.info.version)}</span>
${sections.map(navigation).join('')}
<h4>reference</h4><a href="#schemas">Schemas</a><a href="#errors">Errors</a><a href="/openapi.json">openapi.json</a></nav>
<main><h1>${escapeHtml(document.info.title)}</h1><p>${markdown(document.info.description)}</p>${EXAMPLE}
${sections.map(section).join('')}
<h2 id="schemas">Schemas</h2>${Object.entries(document.components.schemas).map(component).join('')}
<h2 id="errors">Errors</h2><p>Answered as <code>application/problem+json</code>; decide by <code>code</code>.</p>${errorTable()}
</main></body></html>`;
}

interface Shown {
  method: string;
  path: string;
  operation: Operation;
}

const EXAMPLE = `<pre class="example">curl -X POST "$REELKIT_URL/v1/recordings" \\
  -H "Authorization: Bearer $(reelkit token)" -H "Content-Type: application/json" \\
  -H "Idempotency-Key: lesson-42" \\
  -d '{"source": {"type": "room", "room": "lesson"}, "maxDuration": "1h"}'</pre>`;

function navigation({ name, operations }: { name: string; operations: Shown[] }): string {
  const links = operations.map(
    ({ method, path, operation }) =>
      `<a href="#${operation.operationId}"><b class="${method}">${method}</b> ${escapeHtml(path)}</a>`,
  );
  return `<h4>${escapeHtml(name)}</h4>${links.join('')}`;
}

function section(tag: { name: string; description: string; operations: Shown[] }): string {
  return `<h2>${escapeHtml(tag.name)}</h2><p>${markdown(tag.description)}</p>${tag.operations.map(operationCard).join('')}`;
}

function operationCard({ method, path, operation }: Shown): string {
  const needs = authLabel(operation);
  return `<article id="${operation.operationId}"><header><b class="${method}">${method}</b><code class="path">${escapeHtml(path)}</code>
<span class="summary">${escapeHtml(operation.summary)}</span>${needs ? `<span class="auth">${needs}</span>` : ''}</header>
${operation.description ? `<p>${markdown(operation.description)}</p>` : ''}
${parameters(operation)}${body(operation)}${responses(operation)}</article>`;
}

function authLabel(operation: Operation): string | undefined {
  const [scheme] = operation.security ?? [];
  if (!scheme) return undefined;
  return 'livekitToken' in scheme ? 'LiveKit token' : "LiveKit's signature";
}

function parameters({ parameters = [] }: Operation): string {
  if (parameters.length === 0) return '';
  const rows = parameters.map(
    (parameter) =>
      `<tr><td><code>${escapeHtml(parameter.name)}</code>${parameter.required ? ' <i>required</i>' : ''}</td><td>${parameter.in}</td><td>${typeOf(parameter.schema)}${facts(parameter.schema)}</td><td>${markdown(parameter.description ?? '')}</td></tr>`,
  );
  return `<h5>Parameters</h5><table>${rows.join('')}</table>`;
}

function body({ requestBody }: Operation): string {
  const schema = requestBody?.content['application/json']?.schema;
  return schema ? `<h5>Body</h5>${properties(schema)}` : '';
}

function responses(operation: Operation): string {
  const rows = Object.entries(operation.responses).map(([status, { description, content }]) => {
    const [type, media] = Object.entries(content ?? {})[0] ?? [];
    const schema = media?.schema && type !== 'application/problem+json' ? typeOf(media.schema) : '';
    return `<tr class="s${status[0]}"><td><b>${status}</b></td><td>${markdown(description)}</td><td>${schema}</td></tr>`;
  });
  return `<h5>Answers</h5><table>${rows.join('')}</table>`;
}

function component([name, schema]: [string, Json]): string {
  const about = typeof schema.description === 'string' ? `<p>${markdown(schema.description)}</p>` : '';
  return `<article id="schema-${escapeHtml(name)}"><header><code class="path">${escapeHtml(name)}</code></header>${about}${properties(schema)}</article>`;
}

/** One table of an object's fields; what is nested is indented below its field. */
function properties(schema: Json): string {
  if (typeof schema.$ref === 'string') return `<p>${typeOf(schema)}</p>`;
  const kinds = alternatives(schema);
  if (kinds) return kinds.map(properties).join('<p class="or">or</p>');
  const fields = Object.entries((schema.properties ?? {}) as Record<string, Json>);
  if (fields.length === 0) return `<p>${typeOf(schema)}</p>`;
  const required = (schema.required ?? []) as string[];
  return `<table>${fields.map(([name, field]) => fieldRow(name, field, required.includes(name))).join('')}</table>`;
}

function fieldRow(name: string, field: Json, required: boolean): string {
  const nested = nestedObject(field);
  const about = typeof field.description === 'string' ? markdown(field.description) : '';
  return `<tr><td><code>${escapeHtml(name)}</code>${required ? ' <i>required</i>' : ''}</td><td>${typeOf(field)}${facts(field)}</td><td>${about}${nested}</td></tr>`;
}

function nestedObject(field: Json): string {
  const inner = (field.items as Json | undefined) ?? field;
  if (alternatives(inner)?.some((kind) => kind.properties)) return properties(inner);
  return inner.properties ? properties(inner) : '';
}

function alternatives(schema: Json): Json[] | undefined {
  return (schema.oneOf ?? schema.anyOf) as Json[] | undefined;
}

function typeOf(schema: Json): string {
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return `<a href="#schema-${escapeHtml(name)}">${escapeHtml(name)}</a>`;
  }
  if (schema.const !== undefined) return `<code>${escapeHtml(JSON.stringify(schema.const))}</code>`;
  if (Array.isArray(schema.enum))
    return schema.enum.map((value) => `<code>${escapeHtml(String(value))}</code>`).join(' ');
  if (schema.type === 'array') return `list of ${typeOf((schema.items ?? {}) as Json)}`;
  if (alternatives(schema)) return 'one of';
  if (schema.format === 'date-time') return 'time, ISO 8601';
  return escapeHtml(String(schema.type ?? 'any'));
}

function facts(schema: Json): string {
  const known: string[] = [];
  if (schema.default !== undefined) known.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.minimum !== undefined || schema.maximum !== undefined)
    known.push(`${schema.minimum ?? ''} to ${schema.maximum ?? ''}`);
  if (schema.maxLength !== undefined) known.push(`at most ${schema.maxLength} characters`);
  if (Array.isArray(schema.examples)) known.push(`such as ${JSON.stringify(schema.examples[0])}`);
  return known.length > 0 ? `<small>${escapeHtml(known.join(', '))}</small>` : '';
}

function errorTable(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, title }]) =>
      `<tr class="s${String(status)[0]}" id="error-${code}"><td><b>${status}</b></td><td><code>${code}</code></td><td>${escapeHtml(title)}</td></tr>`,
  );
  return `<table>${rows.join('')}</table>`;
}

/** The only Markdown our texts use is `code`. */
function markdown(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]*)`/g, '<code>$1</code>');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const STYLE = `
:root{--bg:#fff;--soft:#f5f6f8;--line:#e3e6ea;--text:#1c2430;--dim:#667085;--accent:#1f5eff;--get:#0b7a4b;--post:#9a5b00;--bad:#b42318;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--soft:#1a2028;--line:#2b333e;--text:#e6e9ee;--dim:#98a2b3;--accent:#7da2ff;--get:#4cc38a;--post:#f0b15a;--bad:#ff8a7a}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;display:flex;font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--bg);color:var(--text)}
nav{position:sticky;top:0;height:100vh;overflow:auto;flex:0 0 300px;padding:24px 20px;background:var(--soft);border-right:1px solid var(--line);font-size:13px}
nav strong{font-size:16px}nav .version{color:var(--dim);margin-left:8px}
nav h4{margin:20px 0 6px;color:var(--dim);text-transform:uppercase;font-size:11px;letter-spacing:.06em}
nav a{display:block;padding:3px 0;color:inherit;text-decoration:none;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}nav a:hover{color:var(--accent)}
main{flex:1;min-width:0;max-width:1060px;padding:28px 44px 80px}
h1{margin:0 0 4px;font-size:30px}h2{margin:44px 0 4px;text-transform:capitalize;font-size:21px}h5{margin:16px 0 4px;font-size:12px;color:var(--dim);text-transform:uppercase;letter-spacing:.05em}
article{border:1px solid var(--line);border-radius:8px;margin:14px 0;padding:0 18px 14px;scroll-margin-top:12px}
article:target,tr:target{outline:2px solid var(--accent)}
article>header{display:flex;flex-wrap:wrap;align-items:baseline;gap:10px;margin:0 -18px;padding:10px 18px;background:var(--soft);border-bottom:1px solid var(--line);border-radius:8px 8px 0 0}
b.get,b.post{font:600 11px/1 ui-monospace,Menlo,Consolas,monospace;text-transform:uppercase;color:var(--get)}b.post{color:var(--post)}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}code.path{font-weight:600;font-size:14px}
.summary{color:var(--dim)}.auth{margin-left:auto;font-size:12px;color:var(--dim);border:1px solid var(--line);border-radius:10px;padding:1px 9px}
pre.example{background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:14px 16px;overflow:auto}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:6px 14px 6px 0;vertical-align:top}tr:first-child>td{border-top:0}
td:first-child{white-space:nowrap;width:170px}td:nth-child(2){min-width:90px}tr[class] td:first-child{width:56px}tr[class] td:last-child:nth-child(3){width:150px;text-align:right}td td{font-size:14px}td i{color:var(--dim);font-size:12px}small{display:block;color:var(--dim)}
.or{color:var(--dim);margin:2px 0;font-size:12px;text-transform:uppercase}
.s2 td b{color:var(--get)}.s4 td b,.s5 td b{color:var(--bad)}a{color:var(--accent)}
@media(max-width:860px){body{display:block}nav{position:static;height:auto;border-right:0}main{padding:20px}}
`;
