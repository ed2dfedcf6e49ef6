/* Every operator of Weft, one row each: WEFT_OP(name, dimensions, sides, variants). The row's example is the function
   WeftOpExample_<name>; the contract test goes through the rows. An operator without a row does not exist. */
WEFT_OP(Diffuse, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(Affine, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 3)
WEFT_OP(Sum, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(Inflow, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 2)
WEFT_OP(Divergence, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(Gradient, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(FacesToCells, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(CellsToFaces, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(Buoyancy, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
WEFT_OP(Restrict, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 2)
WEFT_OP(SquaredError, WEFT_ALL_DIMS, WEFT_ALL_SIDES, 1)
