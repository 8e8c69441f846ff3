package mutant

var decodeBugs []bug
