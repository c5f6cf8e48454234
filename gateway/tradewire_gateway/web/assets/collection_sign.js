// Signs the request with HMAC-SHA256 as the signing guide says: /docs/signing
(() => {
  // Bruno translates what is Postman's, but not all of it means the same there.
  const inBruno = typeof bru !== 'undefined';
  const fill = (text) => (inBruno ? bru.interpolate(text) : pm.variables.replaceIn(text));
  const keep = (name, value) => (inBruno ? bru.setVar(name, value) : pm.collectionVariables.set(name, value));
  const value = (name) => {
    const text = fill(`{{${name}}}`);
    return text.startsWith('{{') ? '' : text;
  };

  const CryptoJS = require('crypto-js');
  const random = () => CryptoJS.lib.WordArray.random(16).toString();
  const sign = (...lines) =>
    CryptoJS.enc.Base64.stringify(CryptoJS.HmacSHA256(['TRADEWIRE-V1', ...lines].join('\n'), value('apiSecret')))
      .replace(/\+/g, '-')
      .replace(/\//g, '_')
      .replace(/=+$/, '');

  const environment = value('environment');
  const timestamp = String(Date.now());
  const nonce = random();

  // What requests have in their bodies: an id that nothing had before, and another price.
  keep('newId', 'pm-' + random().slice(0, 24));
  keep('amendPrice', String(30000 + Math.floor(Math.random() * 900)));
  if (!value('apiKey') || !value('apiSecret')) return;

  const sessionNonce = random();
  keep('sessionTimestamp', timestamp);
  keep('sessionNonce', sessionNonce);
  keep('sessionSignature', sign(environment, timestamp, sessionNonce, 'SESSION'));

  // A request is signed or has a token, never both.
  if (inBruno ? req.getHeader('authorization') : pm.request.headers.has('authorization')) return;

  // Variables are put in before signing: what is signed has to be what is sent.
  const method = inBruno ? req.getMethod() : pm.request.method;
  const url = fill(inBruno ? req.getUrl() : pm.request.url.toString());
  const body = fill((inBruno ? req.getBody({ raw: true }) : pm.request.body && pm.request.body.raw) || '');
  const headers = {
    'x-api-key': value('apiKey'),
    'x-api-timestamp': timestamp,
    'x-api-nonce': nonce,
    'x-api-signature': sign(
      environment,
      timestamp,
      nonce,
      method,
      url.replace(/^[a-z]+:\/\/[^/]+/, ''),
      CryptoJS.SHA256(body).toString(),
    ),
  };
  for (const [key, text] of Object.entries(headers)) {
    if (inBruno) req.setHeader(key, text);
    else pm.request.headers.upsert({ key, value: text });
  }
})();
