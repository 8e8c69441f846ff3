package main

func gradientFamilies() []family { return nil }
