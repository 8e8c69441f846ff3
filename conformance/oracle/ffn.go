package oracle

// Rows are independent.
var _ = cut("ffn", byRows)
