// /openapi.json and /docs: made from the routes themselves, when first asked for.
import { renderDocs } from '../docs/docs-page.ts';
import { buildOpenApi, type OpenApiDocument } from '../docs/openapi.ts';
import { defineRoute, type Route } from '../route.ts';

/** The page brings no script and asks nothing of any other host. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** @param described the routes to describe; these two describe themselves too */
export function docsRoutes(described: readonly Route[]): Route[] {
  const routes: Route[] = [
    defineRoute({
      method: 'get',
      path: '/openapi.json',
      tag: 'service',
      summary: 'This API as an OpenAPI 3.1 document',
      auth: 'none',
      responses: { 200: { description: 'The document', contentType: 'application/json' } },
      handler: () => ({ status: 200, body: document() }),
    }),
    defineRoute({
      method: 'get',
      path: '/docs',
      tag: 'service',
      summary: 'This API as a page to read',
      auth: 'none',
      responses: { 200: { description: 'The page', contentType: 'text/html' } },
      handler: () => ({
        status: 200,
        text: renderDocs(document()),
        contentType: 'text/html',
        headers: { 'Content-Security-Policy': PAGE_POLICY },
      }),
    }),
  ];
  let built: OpenApiDocument | undefined;
  const document = () => {
    built ??= buildOpenApi([...described, ...routes]);
    return built;
  };
  return routes;
}
