/* train: optimisers on the flat parameter vector, the one gradient reduction, the trainer. */
#ifndef WEFT_TRAIN_H
#define WEFT_TRAIN_H
#include <weft/io.h>
#include <weft/model.h>
#include <weft/nn.h>
#include <weft/tape.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ---- optimisers ------------------------------------------------------------------------------------------------- */

typedef struct _n_WeftOptimizer *WeftOptimizer; /* adam (Kingma, Ba 2015), sgd or descent; learning-rate schedule; clipping by norm */
PetscErrorCode WeftOptimizerCreateFromKeys(PetscInt parameters, PetscInt updates, WeftOptimizer *optimizer);
/* parameters -= step from the (reduced) gradient of update `k`; no step where its norm is not finite, which the caller has to tell.
   Not collective: every rank does the same. */
PetscErrorCode WeftOptimizerStep(WeftOptimizer optimizer, PetscInt k, const double gradient[], double parameters[], PetscReal *gradient_norm);
PetscErrorCode WeftOptimizerSave(WeftOptimizer optimizer, WeftArrays arrays);
PetscErrorCode WeftOptimizerLoad(WeftOptimizer optimizer, WeftArrays arrays);
PetscErrorCode WeftOptimizerDestroy(WeftOptimizer *optimizer);

/* ---- trainer --------------------------------------------------------------------------------------------------------- */

/* Everything that train and check need of a case: team, grid, dataset, model with its net, rollout, from the keys. Which samples
   an update takes depends on the seed and the update alone. */
typedef struct _n_WeftBatches *WeftBatches; /* windows of a dataset in memory; src/train/batches.h */
typedef struct _n_WeftTrainer *WeftTrainer;
PetscErrorCode WeftTrainerCreate(WeftTrainer *trainer);
/* Loss and gradient of batch k at the current weights: reduced over replicas x space, the same on every rank. initial_bar (may be
   NULL): adjoint of this replica's initial states. */
PetscErrorCode WeftTrainerGradient(WeftTrainer trainer, PetscInt k, PetscReal *loss, double gradient[], const WeftState initial_bar[]);
PetscErrorCode WeftTrainerDestroy(WeftTrainer *trainer);
/* The verb train: -train_updates updates; checkpoints (weights.h5 is the last), weights.safetensors, train.csv, summary.json. Collective on the world. */
PetscErrorCode WeftTrain(void);
/* The verb check: gradients of the case on these ranks, each operator and the whole rollout; gradient.h5 (/weights,
   /initial/<field>, /loss), compared with -check_compare; summary.json. Starts from the samples of update 0, or without a dataset
   from the case's initial state after -check_spinup steps. Fails when a check does. Collective on the world. */
PetscErrorCode WeftCheckCase(void);

/* ---- playing a model --------------------------------------------------------------------------------------------------- */

/* WeftModelInitial, and the fields of -initial_file where -initial_type says file. inputs: those of the step, the weights
   excepted. Collective on the grid. */
PetscErrorCode WeftInitialStates(WeftModel model, const WeftState inputs[]);
/* The true states of an inversion from -truth_type; inputs as above, whose numbers stay or become those of the case. */
PetscErrorCode WeftTrueStates(WeftModel model, const WeftState inputs[]);
/* The verb simulate: -simulate_steps steps; fields.h5/.xmf, figures.csv, picture.png, summary.json. Collective on the world. */
PetscErrorCode WeftSimulate(void);
/* The verb dataset: one simulation per Reynolds number on the reference grid (grid_cells times -dataset_refine), restricted to
   the grid; train.h5 and test.h5. Replicas run different simulations, several at once as a batch. Collective on the world. */
PetscErrorCode WeftDatasetGenerate(void);
/* -dataset_fields random: one simulation whose frames are random smooth velocities, each a draw of its own. */
PetscErrorCode WeftDatasetRandom(void);
/* The verb rollout: plays every simulation of -rollout_dataset from its first frame, without and with the net of -rollout_weights,
   and compares with its frames; table.txt, errors.csv, summary.json, picture.png, errors.png, and the series reference,
   uncorrected, corrected of one simulation. A run that is no longer finite, or whose Courant number reaches -grid_halo minus 1,
   is reported as unstable. Collective on the world. */
PetscErrorCode WeftEvaluate(void);

#if defined(__cplusplus)
}
#endif
#endif
