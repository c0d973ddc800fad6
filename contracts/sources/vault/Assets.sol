// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeTransferLib} from "solady/src/utils/SafeTransferLib.sol";

/// @notice ETH and tokens under one name: the zero address is ETH.
library Assets {
    function balanceOf(address token, address holder) internal view returns (uint256) {
        return token == address(0) ? holder.balance : SafeTransferLib.balanceOf(token, holder);
    }

    /// @notice Sends it or reverts; tokens that return nothing are understood, tokens without code are not.
    /// @dev All gas is passed on, and nothing that the receiver returns is copied.
    function send(address token, address to, uint256 amount) internal {
        if (token == address(0)) SafeTransferLib.safeTransferETH(to, amount);
        else SafeTransferLib.safeTransfer(token, to, amount);
    }
}
