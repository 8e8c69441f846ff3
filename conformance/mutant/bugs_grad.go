package mutant

var gradBugs []bug
