/* Every operator of Weft, one row each: WEFT_OP(name, dimensions, sides, variants). The row's example is the function
   WeftOpExample_<name>; the contract test goes through the rows. An operator without a row does not exist. */
