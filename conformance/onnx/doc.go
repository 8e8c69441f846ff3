// Package onnx holds implementations of the boundary to ONNX's backend node tests, read as ONNX ships them: models of one node, with
// inputs and outputs as TensorProto.
//
// Each ONNX operator is translated to ops of the boundary. Outside the implementation there is data movement (transposes, slices,
// padding, the construction of masks), negation and doubling, which are exact, and a division by a total. Everything else is an op: sums,
// products by class weights and linear combinations are matmul, a lookup is embedding. Some operators are what an op gives for special
// arguments:
//
//	Tanh             attention.scores, capped, of one query x and one key 1 with a soft cap of 1
//	Swish            attention of the query 1 over the keys (x, 0) with values (x, 0) and scale alpha
//	Erf              (gelu(z) + gelu(-z)) / z with z = sqrt 2 x
//	ReduceLogSumExp  x_i - log_softmax(x)_i, i the largest element's
//	RotaryEmbedding  products of 1x2 and 2x2 matrices
//	TopK             greedy, repeated with -Inf in the place of what was found
//	Adagrad          adam with beta1 = 0 and beta2 = 1/2 at its first step, whose bias correction is 1/2: v_hat = H + g^2
//
// # How far a result may be off
//
// ONNX compares with rtol = 1e-3. Here the bound follows from the arithmetic, as in SPEC.md, appendix A:
//
//	|got - want| <= 2 ((u_acc + u_w) G + (u_sto + u_w) |want| + u_sto G_in) + 2 smallest normals
//
// The stored results are NumPy's and have roundings of their own, so the roundoff u_w of the format that the data is stored in, 2^-24 for
// float32, 2^-11 for float16, stands beside those of the formats that the implementation declares. The gauges are those of the translation
// as a composite, propagated through its ops (SPEC.md A.9). G_in, of rounding the inputs, counts only where the implementation stores
// in a narrower format than the data's. Integers are compared exactly, NaN and infinities by kind.
//
// Correct implementations reach at most 0.27 of it. What it catches, and these vectors still miss, of errors planted in the reference:
//
//	Attention           1e-5 added to the denominator    33 of 43 cases catch it (ONNX's own tolerance: none)
//	                    1e-6 added to the denominator     5 of 43
//	                    the causal offset ignored         5 of 43, of which 3 are newer than onnx 1.22
//	                    the soft cap ignored              5 of 43
//	Softmax             1e-5 added to the denominator     4 of 4
//	                    1e-6                              0 of 4
//	Gelu                tanh for erf                      1 of 3: the other two ask for tanh
//	LayerNormalization  eps 1e-6 for 1e-5                10 of 12; two set their own eps
//	RMSNormalization    the same                          8 of 12; four set their own
//	Adam                no bias correction                0 of 1: its T is 0, where ONNX does not correct
package onnx
