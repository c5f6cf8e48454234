// Keeps what the answer made for the next requests, and shows the reason of an error.
(() => {
  const answer = pm.response.json();

  if (pm.response.code === 200) {
    pm.test('answered', () => pm.expect(answer).to.be.an('object'));
    if (answer.order) {
      pm.collectionVariables.set('orderId', answer.order.orderId);
      pm.collectionVariables.set('clientOrderId', answer.order.clientOrderId);
    }
    if (answer.key) pm.collectionVariables.set('createdKey', answer.key.apiKey);
    if (answer.token) pm.collectionVariables.set('token', answer.token);
  } else {
    const { reason, metadata } = answer.details[0];
    pm.test(`${reason} (${metadata.outcome}): ${metadata.advice}`, () => {
      pm.expect(pm.response.code).to.be.below(500);
      pm.expect(['UNAUTHENTICATED', 'SIGNATURE_INVALID']).to.not.include(reason);
    });
  }
})();
