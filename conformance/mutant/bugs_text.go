package mutant

var textBugs []bug
