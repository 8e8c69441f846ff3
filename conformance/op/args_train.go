package op

// Initialization, optimizers, clipping, schedules and whole training steps, SPEC.md INIT, OPT, CLIP, LR and TRAIN.
var trainingOps []Args
