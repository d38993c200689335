// The Query protocol of Auto Scaling and its twin of EC2: parameters into a value, a value into XML, by the service's model.
import { isObject, type Member, type Model, type Shape, shapeOf } from './models.ts';

/** @throws Error that names the parameters nobody knows */
export function readQuery(model: Model, action: string, form: URLSearchParams): Record<string, unknown> {
  const { input } = model.operations[action] ?? {};
  const left = new Map([...form].filter(([name]) => name !== 'Action' && name !== 'Version'));
  const value = input ? readStructure(model, shapeOf(model, input), '', left) : {};
  if (left.size > 0) throw new Error(`unknown parameters ${[...left.keys()].join(', ')}`);
  return value;
}

type Parameters = Map<string, string>;

function read(model: Model, member: Member, name: string, left: Parameters): unknown {
  const shape = shapeOf(model, member);
  if (shape.type === 'structure') return nothingAsAbsent(readStructure(model, shape, `${name}.`, left));
  if (shape.type === 'list') return readList(model, shape, name, left);
  const text = left.get(name);
  if (text === undefined) return undefined;
  left.delete(name);
  if (shape.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return shape.type === 'string' || shape.type === 'timestamp' ? text : Number(text);
}

function readStructure(model: Model, shape: Shape, prefix: string, left: Parameters): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    const value = read(model, member, prefix + sentName(model, name, member), left);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function readList(model: Model, shape: Shape, name: string, left: Parameters): unknown[] | undefined {
  const member = shape.member as Member;
  const prefix = model.protocol === 'ec2' ? name : `${name}.${member.locationName ?? 'member'}`;
  const found: unknown[] = [];
  for (let index = 1; ; index += 1) {
    const value = read(model, member, `${prefix}.${index}`, left);
    if (value === undefined) return found.length > 0 ? found : undefined;
    found.push(value);
  }
}

function nothingAsAbsent(value: Record<string, unknown>): Record<string, unknown> | undefined {
  return Object.keys(value).length > 0 ? value : undefined;
}

function sentName({ protocol }: Model, name: string, { queryName, locationName }: Member): string {
  if (protocol === 'query') return locationName ?? name;
  return queryName ?? (locationName ? locationName.charAt(0).toUpperCase() + locationName.slice(1) : name);
}

export function writeXml(model: Model, action: string, output: unknown): string {
  const { output: member } = model.operations[action] ?? {};
  const inside = member ? writeStructure(model, shapeOf(model, member), output ?? {}) : '';
  const [open, close] = [`<${action}Response xmlns="${model.namespace}">`, `</${action}Response>`];
  if (model.protocol === 'ec2') return `${open}<requestId>fake</requestId>${inside}${close}`;
  const result = member?.resultWrapper ?? `${action}Result`;
  return `${open}<${result}>${inside}</${result}><ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata>${close}`;
}

export function writeXmlError({ protocol, namespace }: Model, code: string, message: string): string {
  const error = `<Code>${escaped(code)}</Code><Message>${escaped(message)}</Message>`;
  if (protocol === 'ec2')
    return `<Response><Errors><Error>${error}</Error></Errors><RequestID>fake</RequestID></Response>`;
  return `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type>${error}</Error><RequestId>fake</RequestId></ErrorResponse>`;
}

function writeStructure(model: Model, shape: Shape, value: unknown): string {
  if (!isObject(value)) return '';
  return Object.entries(value)
    .filter(([, one]) => one !== undefined && one !== null)
    .map(([name, one]) => {
      const member = shape.members?.[name] as Member;
      const tag = member.locationName ?? name;
      return `<${tag}>${write(model, member, one)}</${tag}>`;
    })
    .join('');
}

function write(model: Model, member: Member, value: unknown): string {
  const shape = shapeOf(model, member);
  if (shape.type === 'structure') return writeStructure(model, shape, value);
  if (shape.type === 'list') {
    const one = shape.member as Member;
    const tag = one.locationName ?? (model.protocol === 'ec2' ? 'item' : 'member');
    return (value as unknown[]).map((inner) => `<${tag}>${write(model, one, inner)}</${tag}>`).join('');
  }
  return escaped(value instanceof Date ? value.toISOString() : String(value));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
