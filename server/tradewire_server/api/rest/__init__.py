"""The check of REST requests: what Envoy asks before it turns an HTTP request into a call.

- `request`    an HTTP request as it was sent, and the answer to the question whether it may pass;
- `credentials` its headers that say who asks;
- `query`      its path and query; `json_body` its body: strict, where the transcoder is lenient;
- `check`      all of it in one order;
- `listener`   the HTTP service on a socket of its own.
"""
