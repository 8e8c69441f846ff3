package main

func trainingFamilies() []family { return nil }
