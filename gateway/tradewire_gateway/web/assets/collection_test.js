// Keeps what the answer made for the next requests, and shows the reason of an error.
(() => {
  const inBruno = typeof bru !== 'undefined';
  const keep = (name, value) => (inBruno ? bru.setVar(name, value) : pm.collectionVariables.set(name, value));
  const code = inBruno ? res.getStatus() : pm.response.code;
  const answer = inBruno ? res.getBody() : pm.response.json();

  if (code === 200) {
    pm.test('answered', () => pm.expect(answer).to.be.an('object'));
    if (answer.order) {
      keep('orderId', answer.order.orderId);
      keep('clientOrderId', answer.order.clientOrderId);
    }
    if (answer.key) keep('createdKey', answer.key.apiKey);
    if (answer.token) keep('token', answer.token);
  } else {
    const { reason, metadata } = answer.details[0];
    pm.test(`${reason} (${metadata.outcome}): ${metadata.advice}`, () => {
      pm.expect(code).to.be.below(500);
      pm.expect(['UNAUTHENTICATED', 'SIGNATURE_INVALID']).to.not.include(reason);
    });
  }
})();
