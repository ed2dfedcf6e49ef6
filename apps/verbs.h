/* The verbs of the command, one row each: WEFT_VERB(name, function, help). */
WEFT_VERB(simulate, WeftSimulate, "play a model from its initial state; writes fields, figures and a picture")
WEFT_VERB(dataset, WeftDatasetGenerate, "simulate on the reference grid and write the restricted frames for training")
WEFT_VERB(train, WeftTrain, "train the network inside the time loop; writes its weights at every epoch")
WEFT_VERB(check, WeftCheckCase, "check the gradients of a case on these ranks: each operator, the whole rollout; writes the gradient")
WEFT_VERB(rollout, WeftEvaluate, "play test simulations with and without the trained network and compare with their frames")
WEFT_VERB(invert, WeftInvert, "find inputs of a simulation (initial state, numbers, control) from observations")
WEFT_VERB(info, WeftInfo, "print what a case is: grid, layout, fields, steps, net, memory, messages")
