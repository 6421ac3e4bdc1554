// Signs the cards with the JS SDK, each by every key: node sign.mjs KEYS < cards.json > js.json
import { generateAgentCardSignature } from '@a2a-js/sdk';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
const text = readFileSync(0, 'utf8');
const keys = process.argv[2], vectors = [];
for (const [name, card] of Object.entries(JSON.parse(text))) {
  for (const [kid, alg] of [['es256', 'ES256'], ['ed25519', 'EdDSA'], ['rs256', 'RS256']]) {
    const key = createPrivateKey(readFileSync(`${keys}/${kid}.pem`));
    const sign = generateAgentCardSignature(key, { alg, kid, typ: 'JOSE', jku: 'https://example.com/jwks.json' });
    vectors.push({ name: `js ${name}`, kid, card: await sign(card) });
  }
}
console.log('[\n' + vectors.map((vector) => JSON.stringify(vector)).join(',\n') + '\n]');
