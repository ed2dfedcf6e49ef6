/* train: batches from datasets, optimisers on the flat parameter vector, the one gradient reduction, the trainer. */
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

typedef struct _n_WeftOptimizer *WeftOptimizer; /* adam (Kingma, Ba 2015) or sgd; learning-rate schedule; clipping by norm */
PetscErrorCode WeftOptimizerCreateFromKeys(PetscInt parameters, PetscInt updates, WeftOptimizer *optimizer);
/* parameters -= step from the (reduced) gradient of update `k`. Not collective: every rank does the same. */
PetscErrorCode WeftOptimizerStep(WeftOptimizer optimizer, PetscInt k, const double gradient[], double parameters[], PetscReal *gradient_norm);
PetscErrorCode WeftOptimizerSave(WeftOptimizer optimizer, WeftArrays arrays);
PetscErrorCode WeftOptimizerLoad(WeftOptimizer optimizer, WeftArrays arrays);
PetscErrorCode WeftOptimizerDestroy(WeftOptimizer *optimizer);

/* ---- batches ------------------------------------------------------------------------------------------------------- */

/* Draws the samples of update k: windows of unroll + 1 frames. With -train_batch_same (a number's name, as reynolds) all samples of
   a batch share that number. An epoch visits every window once, in an order keyed by (seed, epoch). The last batch of an
   epoch may be short. Fields are held in memory by the replica's ranks, each its own block. */
typedef struct _n_WeftBatches *WeftBatches;

/* ---- trainer --------------------------------------------------------------------------------------------------------- */

/* Everything that train and check need of a case: team, grid, model, net, rollout, dataset, optimiser, from the keys. */
typedef struct _n_WeftTrainer *WeftTrainer;
PetscErrorCode WeftTrainerCreate(WeftTrainer *trainer);
PetscErrorCode WeftTrainerRun(WeftTrainer trainer); /* the verb train */
/* Loss and gradient of batch k at the current weights: reduced over replicas x space, the same on every rank. initial_bar (may be
   NULL): adjoint of this replica's initial states. */
PetscErrorCode WeftTrainerGradient(WeftTrainer trainer, PetscInt k, PetscReal *loss, double gradient[], const WeftState initial_bar[]);
PetscErrorCode WeftTrainerDestroy(WeftTrainer *trainer);

/* ---- playing a model --------------------------------------------------------------------------------------------------- */

/* WeftModelInitial, and the fields of -initial_file where -initial_type says file. inputs: those of the step, the weights
   excepted. Collective on the grid. */
PetscErrorCode WeftInitialStates(WeftModel model, const WeftState inputs[]);
/* The verb simulate: -simulate_steps steps; fields.h5/.xmf, figures.csv, picture.png, summary.json. Collective on the world. */
PetscErrorCode WeftSimulate(void);
/* The verb dataset: one simulation per Reynolds number on the reference grid (grid_cells times -dataset_refine), restricted to
   the grid; train.h5 and test.h5. Replicas run different simulations, several at once as a batch. Collective on the world. */
PetscErrorCode WeftDatasetGenerate(void);

#if defined(__cplusplus)
}
#endif
#endif
