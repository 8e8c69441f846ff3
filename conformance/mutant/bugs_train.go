package mutant

var trainBugs []bug
