// Signs the request with HMAC-SHA256 as the signing guide says: /docs/signing
(() => {
  const CryptoJS = require('crypto-js');

  const base64url = (bytes) =>
    CryptoJS.enc.Base64.stringify(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const random = () => CryptoJS.lib.WordArray.random(16).toString();

  const apiKey = pm.variables.get('apiKey');
  const apiSecret = pm.variables.get('apiSecret');
  const environment = pm.variables.get('environment');
  const timestamp = String(Date.now());
  const nonce = random();

  // An id that nothing had before; requests that need one have it in their body.
  pm.collectionVariables.set('newId', 'pm-' + random().slice(0, 24));
  pm.collectionVariables.set('amendPrice', String(30000 + Math.floor(Math.random() * 900)));

  if (apiKey && apiSecret) {
    const sign = (...lines) => base64url(CryptoJS.HmacSHA256(['TRADEWIRE-V1', ...lines].join('\n'), apiSecret));

    const session = { timestamp: String(Date.now()), nonce: random() };
    pm.collectionVariables.set('sessionTimestamp', session.timestamp);
    pm.collectionVariables.set('sessionNonce', session.nonce);
    pm.collectionVariables.set(
      'sessionSignature',
      sign(environment, session.timestamp, session.nonce, 'SESSION'),
    );

    if (!pm.request.headers.has('authorization')) {
      // Variables are put in before signing: what is signed has to be what is sent.
      const path = pm.variables.replaceIn(pm.request.url.getPathWithQuery());
      const body = pm.request.body && pm.request.body.raw ? pm.variables.replaceIn(pm.request.body.raw) : '';
      const hash = CryptoJS.SHA256(body).toString();
      pm.request.headers.upsert({ key: 'x-api-key', value: apiKey });
      pm.request.headers.upsert({ key: 'x-api-timestamp', value: timestamp });
      pm.request.headers.upsert({ key: 'x-api-nonce', value: nonce });
      pm.request.headers.upsert({
        key: 'x-api-signature',
        value: sign(environment, timestamp, nonce, pm.request.method, path, hash),
      });
    }
  }
})();
