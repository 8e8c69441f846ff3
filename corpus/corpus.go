// Package corpus holds text to compute on.
package corpus

import _ "embed"

// Opticks is Isaac Newton's "Opticks: or, a treatise of the reflections, refractions, inflections and colours of light", the fourth
// edition of 1730, which is in the public domain. The file is src/testdata/Isaac.Newton-Opticks.txt of the Go distribution, unchanged: an
// electronic text that Project Gutenberg's Online Distributed Proofreading Team produced, as its first lines say.
//
//go:embed opticks.txt
var Opticks string
