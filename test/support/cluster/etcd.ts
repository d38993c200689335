// Makes etcd forget: what happened before this moment cannot be asked for again.

/** @param address http://host:port of its clients */
export async function compactEtcd(address: string): Promise<void> {
  const post = async (path: string, body: object) => {
    const response = await fetch(`${address}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { header: { revision: string } };
  };
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  // Something newer than whatever anyone has seen.
  const { header } = await post('put', { key: base64('reelkit-test/compacted'), value: base64('yes') });
  await post('compaction', { revision: header.revision, physical: true });
}
