package op

// From logits to tokens, SPEC.md DEC.
var decodingOps []Args
