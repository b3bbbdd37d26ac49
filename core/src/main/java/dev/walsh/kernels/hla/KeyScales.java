package dev.walsh.kernels.hla;
