package op

// From text to tokens and batches of them, SPEC.md TXT. Bytes and ids are integers.
var textOps []Args
