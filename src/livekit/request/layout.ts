// The layout of a composite, changed. Pure.
import type { StartMessage } from './rpc.ts';

/** A copy. Sound that is taken from the room itself has no layout, and with one it would need a browser. */
export function withLayout(message: StartMessage, layout: string): StartMessage {
  const copy = message.clone();
  const template = templateOf(copy);
  if (template && (!template.audioOnly || template.layout !== '' || template.customBaseUrl !== ''))
    template.layout = layout;
  return copy;
}

interface Template {
  layout: string;
  audioOnly: boolean;
  customBaseUrl: string;
}

function templateOf({ request }: StartMessage): Template | undefined {
  if (request.case === 'roomComposite') return request.value;
  if (request.case !== 'egress' && request.case !== 'replay') return undefined;
  return request.value.source.case === 'template' ? request.value.source.value : undefined;
}
