/* The verbs of the command, one row each: WEFT_VERB(name, function, a case that it takes, help). */
WEFT_VERB(simulate, WeftSimulate, "cases/wake/simulate.yaml", "play a model from its initial state; writes fields, figures and a picture")
WEFT_VERB(dataset, WeftDatasetGenerate, "cases/wake/dataset.yaml", "simulate on the reference grid and write the restricted frames for training")
WEFT_VERB(train, WeftTrain, "cases/wake/train.yaml", "train the network inside the time loop; writes its weights at every epoch")
WEFT_VERB(check, WeftCheckCase, "cases/wake/train.yaml", "check the gradients of a case on these ranks: each operator, the whole rollout; writes the gradient")
WEFT_VERB(rollout, WeftEvaluate, "cases/wake/rollout.yaml", "play test simulations with and without the trained network and compare with their frames")
WEFT_VERB(invert, WeftInvert, "cases/burgers1d/invert.yaml", "find inputs of a simulation (initial state, numbers, control) from observations")
WEFT_VERB(info, WeftInfo, "cases/wake/train.yaml", "print what a case is: grid, layout, fields, steps, net, memory, messages")
